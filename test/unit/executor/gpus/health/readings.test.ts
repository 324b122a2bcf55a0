/** What readings and counters say of a device's health; what cannot be read says nothing. */
import { describe, expect, it } from "vitest";

import { countersBetween } from "../../../../../executor/gpus/health/counters.ts";
import { bestOf, statesOf } from "../../../../../executor/gpus/health/states.ts";
import { mergeReadings } from "../../../../../executor/gpus/merge.ts";
import type { Accelerator, AcceleratorReading } from "../../../../../protocol/accelerator.ts";
import { GpuUuid } from "../../../../../protocol/ids.ts";

const TIMES = { at: Date.UTC(2026, 0, 1), spanMs: 60_000 };

function gpu(reading: Partial<AcceleratorReading>): Accelerator {
  return mergeReadings([{ uuid: GpuUuid.parse("GPU-1"), vendor: "nvidia", ...reading }]);
}

function codes(reading: Partial<AcceleratorReading>): string[] {
  return statesOf(gpu(reading), undefined).map(({ code, fence }) => `${code}${fence ? " fence" : ""}`);
}

function moved(before: Partial<AcceleratorReading>, after: Partial<AcceleratorReading>, times = TIMES): string[] {
  return countersBetween(gpu(before), gpu(after), times).map(({ code, class: kind }) => `${code} ${kind}`);
}

function links(...active: boolean[]): AcceleratorReading["fabricLinks"] {
  return active.map((up, index) => ({
    index,
    kind: "nvlink",
    active: up,
    remote: "switch",
    remotePciAddress: { unavailable: "not-read" },
    errors: 0,
  }));
}

describe("states", () => {
  it.each<[string, Partial<AcceleratorReading>, string[]]>([
    ["nothing is known", {}, []],
    [
      "all is well",
      { rows: { pending: false, failed: false }, recoveryAction: "none", ecc: { enabled: true, pending: true } },
      [],
    ],
    ["the driver asks for a reset", { recoveryAction: "reset" }, ["recovery-reset fence"]],
    ["the driver asks for a boot", { recoveryAction: "reboot" }, ["recovery-reboot fence"]],
    ["rows wait", { rows: { pending: true } }, ["rows-pending fence"]],
    ["a row could not be replaced", { rows: { failed: true } }, ["rows-failed fence"]],
    ["512 rows were replaced", { rows: { remappedUncorrectable: 512 } }, []],
    ["513 rows were replaced", { rows: { remappedUncorrectable: 513 } }, ["rows-many fence"]],
    ["61 pages were given up", { rows: { retiredPages: 61 } }, ["pages-many fence"]],
    ["a bank has no spare row", { rows: { banksWithoutSpare: 1 } }, ["rows-no-spare"]],
    ["on-chip memory is worn", { ecc: { sramThresholdExceeded: true } }, ["sram-threshold fence"]],
    ["error correction is to be switched", { ecc: { enabled: true, pending: false } }, ["ecc-pending"]],
    ["the switches are not ready", { fabric: { state: "in-progress" } }, ["fabric-not-ready fence"]],
    ["the switches are unhealthy", { fabric: { state: "completed", health: "unhealthy" } }, ["fabric-unhealthy fence"]],
    ["it is at its limit", { temperature: { gpuCelsius: 90, marginCelsius: 0 } }, ["too-hot"]],
    ["it is at an old board's limit", { temperature: { gpuCelsius: 93, slowdownCelsius: 93 } }, ["too-hot"]],
    ["it is warm", { temperature: { gpuCelsius: 80, slowdownCelsius: 93 } }, []],
    ["power fails", { throttle: { reasons: ["hw-power-brake", "hw-slowdown"] } }, ["power-brake"]],
    ["it is limited by its power", { throttle: { reasons: ["power-cap"] } }, []],
  ])("when %s", (_name, reading, expected) => {
    expect(codes(reading)).toEqual(expected);
  });

  it("tell of a link that is narrower than it ever was, and of links that were up", () => {
    const before = gpu({ pcie: { width: 16 }, fabricLinks: links(true, true, true) });
    const best = bestOf(before, undefined);
    const now = gpu({ pcie: { width: 8 }, fabricLinks: links(true, false, true) });

    expect(statesOf(before, best)).toEqual([]);
    expect(statesOf(now, bestOf(now, best)).map(({ code }) => code)).toEqual(["pcie-narrow", "links-down"]);
    expect(statesOf(gpu({}), best)).toEqual([]);
  });
});

describe("counters", () => {
  it.each<[string, Partial<AcceleratorReading>, Partial<AcceleratorReading>, string[]]>([
    ["nothing moved", { ecc: { uncorrectedVolatile: 3 } }, { ecc: { uncorrectedVolatile: 3 } }, []],
    [
      "memory erred",
      { ecc: { uncorrectedVolatile: 0 } },
      { ecc: { uncorrectedVolatile: 1 } },
      ["ecc-uncorrectable memory"],
    ],
    ["the driver was loaded anew", { ecc: { uncorrectedVolatile: 9 } }, { ecc: { uncorrectedVolatile: 1 } }, []],
    ["it was not read before", {}, { ecc: { uncorrectedVolatile: 7 } }, []],
    ["its link erred fatally", { pcie: { fatalErrors: 0 } }, { pcie: { fatalErrors: 1 } }, ["pcie-fatal inspect"]],
    [
      "its link corrected two errors in a minute",
      { pcie: { correctableErrors: 0 } },
      { pcie: { correctableErrors: 2 } },
      ["pcie-errors watch"],
    ],
    ["its link corrected one", { pcie: { correctableErrors: 0 } }, { pcie: { correctableErrors: 1 } }, []],
    [
      "31 replays on 16 lanes of generation 5",
      { pcie: { replays: 0 } },
      { pcie: { replays: 31, width: 16, generation: 5 } },
      [],
    ],
    [
      "32 of them",
      { pcie: { replays: 0 } },
      { pcie: { replays: 32, width: 16, generation: 5 } },
      ["pcie-replays watch"],
    ],
    [
      "it was too hot for 4 s of the minute",
      { throttle: { hwThermalMicros: 0 } },
      { throttle: { hwThermalMicros: 4_000_000 } },
      ["hw-slowdown watch"],
    ],
    [
      "it was too hot for 2 s of the minute",
      { throttle: { hwThermalMicros: 0 } },
      { throttle: { hwThermalMicros: 2_000_000 } },
      [],
    ],
  ])("when %s", (_name, before, after, expected) => {
    expect(moved(before, after)).toEqual(expected);
  });

  it("leave AMD's memory errors to AMD's own rule", () => {
    const reading = (count: number) => ({ vendor: "amd" as const, ecc: { uncorrectedVolatile: count } });

    expect(moved(reading(0), reading(1))).toEqual([]);
  });
});
