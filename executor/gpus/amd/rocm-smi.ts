/**
 * What rocm-smi prints with --json: one record a card, all values as text, under names that changed from ROCm 4 to 6. Pure.
 */
import type { AcceleratorReading, Known } from "../../../protocol/accelerator.ts";
import { GpuUuid } from "../../../protocol/ids.ts";
import { firstKnown, isUnavailable, mapKnown, unavailable } from "../known.ts";
import { at, isBlock, type Node, text } from "../node.ts";
import { pciAddress } from "../pci-address.ts";
import { countValue, numberValue, percentValue, textValue } from "../values.ts";

/** Undefined where the document is none of its. */
export function readRocmSmi(document: unknown): AcceleratorReading[] | undefined {
  if (!isBlock(document)) return undefined;
  const cards = Object.keys(document).filter((name) => /^card\d+$/.test(name));
  if (cards.length === 0) return undefined;
  const version = textValue(text(document, "system", "Driver version"));
  return cards.map((name) => readingOf(Number(name.slice("card".length)), at(document, name), version));
}

/** The first of these names that the card has a value under. */
function valueOf(
  card: Node,
  parse: (value: string | undefined) => Known<number>,
  ...names: readonly string[]
): Known<number> {
  return firstKnown(unavailable("not-read"), ...names.map((name) => parse(text(card, name))));
}

function readingOf(index: number, card: Node, version: Known<string>): AcceleratorReading {
  const address = pciAddress(text(card, "PCI Bus") ?? "");
  const uniqueId = /^0x([0-9a-f]{1,16})$/i.exec(text(card, "Unique ID") ?? "")?.[1]?.toLowerCase();
  const key =
    uniqueId === undefined
      ? address === undefined
        ? `rocm-smi-${index}`
        : `AMD-${address}`
      : `GPU-${uniqueId.padStart(16, "0")}`;
  const number = (...names: string[]): Known<number> => valueOf(card, numberValue, ...names);
  const total = valueOf(card, countValue, "VRAM Total Memory (B)");
  const used = valueOf(card, countValue, "VRAM Total Used Memory (B)");
  return {
    uuid: GpuUuid.parse(key),
    identity: uniqueId === undefined ? "capture" : "vendor",
    vendor: "amd",
    index,
    pciAddress: address ?? unavailable("not-read"),
    pciId: pciIdOf(card),
    model: modelOf(card),
    serial: serialOf(card),
    driver: { name: "amdgpu", version, firmware: textValue(text(card, "VBIOS version")) },
    numaNode: valueOf(card, countValue, "(Topology) Numa Node"),
    memory: {
      totalBytes: total,
      usedBytes: used,
      freeBytes: isUnavailable(total) ? total : mapKnown(used, (bytes) => Math.max(0, total - bytes)),
    },
    utilisation: {
      gpuPercent: valueOf(card, percentValue, "GPU use (%)"),
      memoryPercent: valueOf(card, percentValue, "GPU Memory Read/Write Activity (%)", "GPU memory use (%)"),
    },
    temperature: {
      gpuCelsius: number("Temperature (Sensor junction) (C)", "Temperature (Sensor edge) (C)"),
      memoryCelsius: number("Temperature (Sensor memory) (C)"),
    },
    fanPercent: valueOf(card, percentValue, "Fan speed (%)"),
    power: {
      drawWatts: number("Current Socket Graphics Package Power (W)", "Average Graphics Package Power (W)"),
      limitWatts: number("Max Graphics Package Power (W)"),
    },
    clocks: { coreMhz: clockOf(card, "sclk"), memoryMhz: clockOf(card, "mclk") },
    performanceState: textValue(text(card, "Performance Level")),
    pcie: { ...linkOf(card), replays: valueOf(card, countValue, "PCIe Replay Count") },
    sources: ["rocm-smi"],
  };
}

/** Some versions give numbers of the vendor under the names of series and model. */
function modelOf(card: Node): Known<string> {
  const names = ["Device Name", "Card Series", "Card series", "Card Model", "Card model"].map((name) =>
    textValue(text(card, name)),
  );
  return firstKnown(unavailable("not-read"), ...names.filter((name) => isUnavailable(name) || !name.startsWith("0x")));
}

function pciIdOf(card: Node): Known<string> {
  const id = /^0x([0-9a-f]{4})$/i.exec(text(card, "Device ID") ?? text(card, "GPU ID") ?? "")?.[1];
  return id === undefined ? unavailable("not-read") : `1002:${id.toLowerCase()}`;
}

function serialOf(card: Node): Known<string> {
  const serial = textValue(text(card, "Serial Number"));
  return serial === "0" ? unavailable("not-supported") : serial;
}

/** `(1725Mhz)` */
function clockOf(card: Node, name: string): Known<number> {
  const written = text(card, `${name} clock speed:`) ?? text(card, `${name} clock speed`);
  return written === undefined ? unavailable("not-read") : numberValue(written.replace(/[()]/g, ""));
}

const GENERATIONS = ["2.5", "5.0", "8.0", "16.0", "32.0", "64.0"];

/** `1 (16.0GT/s x16)` */
function linkOf(card: Node): { generation: Known<number>; width: Known<number> } {
  const { speed, lanes } =
    /\((?<speed>[\d.]+)GT\/s x(?<lanes>\d+)\)/.exec(text(card, "pcie clock level") ?? "")?.groups ?? {};
  const none = unavailable("not-read");
  const at = GENERATIONS.indexOf(speed ?? "");
  return { generation: at < 0 ? none : at + 1, width: lanes === undefined ? none : Number(lanes) };
}
