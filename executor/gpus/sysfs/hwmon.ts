/**
 * Sensors of a device as the kernel's hwmon shows them: millidegrees, microwatts, microjoules, each with a label or none.
 */
import type { Known } from "../../../protocol/accelerator.ts";
import { firstKnown, knownOr, mapKnown, unavailable } from "../known.ts";
import { numberAt, type Root, textOr } from "./root.ts";

export interface Hwmon {
  number(name: string): Known<number>;
  /** Of the first of these labels that the device has. */
  celsius(labels: readonly string[]): Known<number>;
  criticalCelsius(labels: readonly string[]): Known<number>;
}

/** The sensors of the device whose folder is `device`. */
export function hwmonAt(root: Root, device: string): Hwmon {
  const name = root.names(`${device}/hwmon`).find((one) => one.startsWith("hwmon"));
  const at = `${device}/hwmon/${name ?? "none"}`;
  const labelled = new Map(
    root
      .names(at)
      .flatMap((file) => /^(temp\d+)_label$/.exec(file)?.[1] ?? [])
      .map((sensor) => [textOr(root, `${at}/${sensor}_label`, ""), sensor]),
  );
  const degrees = (labels: readonly string[], what: string): Known<number> => {
    const sensors = labels.flatMap((label) => labelled.get(label) ?? []);
    return firstKnown(
      unavailable("not-supported"),
      ...sensors.map((sensor) => milli(numberAt(root, `${at}/${sensor}_${what}`))),
    );
  };
  return {
    number: (file) => numberAt(root, `${at}/${file}`),
    celsius: (labels) => degrees(labels, "input"),
    criticalCelsius: (labels) => degrees(labels, "crit"),
  };
}

function milli(value: Known<number>): Known<number> {
  return mapKnown(value, (number) => number / 1000);
}

/** Microwatts of the first of these files that can be read; a limit of 0 is none. */
export function wattsAt(hwmon: Hwmon, files: readonly string[]): Known<number> {
  const values = files.map((file) => hwmon.number(file));
  const micro = firstKnown(unavailable("not-supported"), ...values);
  return knownOr(micro, 1) === 0 && files.some((file) => file.includes("cap"))
    ? unavailable("not-supported")
    : mapKnown(micro, (value) => value / 1e6);
}
