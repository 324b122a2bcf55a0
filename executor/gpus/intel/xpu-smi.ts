/**
 * What Intel's xpu-smi prints: JSON of version 1.3 (Flex and Max), the tables and comma-separated values of 2.x (Arc Pro), which
 * looks like nvidia-smi. Its UUIDs are no keys: some versions give all cards of a model the same. Pure.
 */
import type { AcceleratorReading, Known } from "../../../protocol/accelerator.ts";
import { GpuUuid } from "../../../protocol/ids.ts";
import { mapKnown, unavailable } from "../known.ts";
import { all, at, isBlock, type Node } from "../node.ts";
import { type SmiTable } from "../nvidia/smi/table.ts";
import { pciAddress } from "../pci-address.ts";
import { bytesValue, countValue, flagValue, numberValue, percentValue, textValue } from "../values.ts";

interface Card {
  readonly index: number;
  readonly address: string | undefined;
  readonly more: Omit<AcceleratorReading, "uuid" | "vendor">;
}

function readingOf({ index, address, more }: Card): AcceleratorReading {
  return {
    uuid: GpuUuid.parse(address === undefined ? `xpu-smi-${index}` : `INTEL-${address}`),
    identity: "capture",
    vendor: "intel",
    index,
    pciAddress: address ?? unavailable("not-read"),
    ...more,
    sources: ["xpu-smi"],
  };
}

/** Of `discovery -j`, of `discovery -d N -j`, and of `stats -d N -j`. Undefined for any other document. */
export function readXpuSmiJson(document: unknown): AcceleratorReading[] | undefined {
  if (!isBlock(document)) return undefined;
  if (Array.isArray(at(document, "device_level"))) return [statsOf(document)];
  const list = at(document, "device_list");
  const devices = Array.isArray(list)
    ? all(list)
    : at(document, "pci_bdf_address") === undefined
      ? undefined
      : [document];
  return devices?.filter((device) => (words(device, "device_type") ?? "GPU") === "GPU").map(discovered);
}

function words(node: Node, name: string): string | undefined {
  const value = at(node, name);
  return typeof value === "string" ? value : typeof value === "number" ? String(value) : undefined;
}

function discovered(device: Node, position: number): AcceleratorReading {
  const index = Number(words(device, "device_id") ?? position);
  const pciId = /^0x([0-9a-f]{1,4})$/i.exec(words(device, "pci_device_id") ?? "")?.[1];
  return readingOf({
    index,
    address: pciAddress(words(device, "pci_bdf_address") ?? ""),
    more: {
      model: textValue(words(device, "device_name")),
      serial: textValue(words(device, "serial_number")),
      pciId: pciId === undefined ? unavailable("not-read") : `8086:${pciId.toLowerCase().padStart(4, "0")}`,
      driver: {
        version: textValue(words(device, "driver_version")),
        firmware: textValue(words(device, "gfx_firmware_version")),
      },
      memory: { totalBytes: countValue(words(device, "memory_physical_size_byte")) },
      clocks: { maxCoreMhz: numberValue(words(device, "core_clock_rate_mhz")) },
      pcie: {
        maxGeneration: countValue(words(device, "pcie_generation")),
        maxWidth: countValue(words(device, "pcie_max_link_width")),
      },
    },
  });
}

/** Values of the whole device; of tiles there are others. */
function statsOf(document: Node): AcceleratorReading {
  const metrics = all(at(document, "device_level"));
  const value = (name: string): string | undefined =>
    words(
      metrics.find((metric) => words(metric, "metrics_type") === `XPUM_STATS_${name}`),
      "value",
    );
  return readingOf({
    index: Number(words(document, "device_id") ?? 0),
    address: undefined,
    more: {
      utilisation: {
        gpuPercent: percentValue(value("GPU_UTILIZATION")),
        memoryPercent: percentValue(value("MEMORY_UTILIZATION")),
      },
      power: { drawWatts: numberValue(value("POWER")) },
      clocks: { coreMhz: numberValue(value("GPU_FREQUENCY")) },
      temperature: {
        gpuCelsius: numberValue(value("GPU_CORE_TEMPERATURE")),
        memoryCelsius: numberValue(value("MEMORY_TEMPERATURE")),
      },
      memory: { usedBytes: bytesValue(value("MEMORY_USED")) },
    },
  });
}

/** Of `--query-gpu` of version 2. */
export function readXpuSmiTable({ rows }: SmiTable): AcceleratorReading[] {
  return rows.map((row, position) => {
    const cell = (name: string): string | undefined => row.get(name);
    return readingOf({
      index: Number(cell("index") ?? position),
      address: pciAddress(cell("pci.bus_id") ?? cell("bus_id") ?? ""),
      more: {
        model: textValue(cell("name")),
        serial: textValue(cell("serial")),
        driver: { version: textValue(cell("driver_version")) },
        memory: {
          totalBytes: bytesValue(cell("memory.total")),
          usedBytes: bytesValue(cell("memory.used")),
          freeBytes: bytesValue(cell("memory.free")),
        },
        utilisation: { gpuPercent: percentValue(cell("utilization.gpu")) },
        temperature: { gpuCelsius: numberValue(cell("temperature.gpu")) },
        power: { drawWatts: numberValue(cell("power.draw")), limitWatts: numberValue(cell("power.limit")) },
        clocks: { coreMhz: numberValue(cell("clocks.gr") ?? cell("clocks.current.graphics")) },
      },
    });
  });
}

/** Of `discovery` and `discovery -d N` without -j: a box of `Name: value` lines, a new device after each ruled line. */
export function readXpuSmiBox(text: string): AcceleratorReading[] | undefined {
  if (!/\| Device ID\s*\| Device Information/.test(text)) return undefined;
  const boxes: { index: number; fields: Map<string, string> }[] = [];
  for (const line of text.split("\n")) {
    const [, first = "", second = ""] = /^\|([^|]*)\|([^|]*)\|\s*$/.exec(line) ?? [];
    if (/^\d+$/.test(first.trim())) boxes.push({ index: Number(first), fields: new Map() });
    const split = second.indexOf(":");
    if (split > 0) boxes.at(-1)?.fields.set(second.slice(0, split).trim(), second.slice(split + 1).trim());
  }
  return boxes.map(({ index, fields }) => {
    const total: Known<number> = bytesValue(fields.get("Memory Physical Size"));
    return readingOf({
      index,
      address: pciAddress(fields.get("PCI BDF Address") ?? ""),
      more: {
        model: textValue(fields.get("Device Name")),
        serial: textValue(fields.get("Serial Number")),
        driver: { version: textValue(fields.get("Driver Version")) },
        memory: { totalBytes: mapKnown(total, Math.round) },
        clocks: { maxCoreMhz: numberValue(fields.get("Core Clock Rate")) },
        pcie: {
          maxGeneration: countValue(fields.get("PCIe Generation")),
          maxWidth: countValue(fields.get("PCIe Max Link Width")),
        },
        ecc: { enabled: flagValue(fields.get("ECC State")) },
      },
    });
  });
}

const SUMMARY_NAME = /^\|\s*(?<index>\d+)\s+(?<name>.*?)\s+(?:On|Off)\s*\|\s*(?<bus>[0-9a-f:.]+)\s/i;
const SUMMARY_USE =
  /^\|\s*\S+\s+(?<celsius>\S+C|N\/A)\s+(?<draw>\S+) \/ (?<cap>\S+)\s*\|\s*(?<used>\S+) \/ (?<total>\S+)\s*\|\s*(?<util>\S+)\s/;

/** Of version 2 without arguments: two lines a card. */
export function readXpuSmiSummary(text: string): AcceleratorReading[] | undefined {
  const driver = /Intel XPU-SMI v[\d.]+\s+Driver:\s*(\S+)/.exec(text)?.[1];
  if (driver === undefined) return undefined;
  const lines = text.split("\n");
  return lines.flatMap((line, position) => {
    const card = SUMMARY_NAME.exec(line)?.groups;
    const use = SUMMARY_USE.exec(lines[position + 1] ?? "")?.groups ?? {};
    if (card === undefined) return [];
    const reading = readingOf({
      index: Number(card["index"]),
      address: pciAddress(card["bus"] ?? ""),
      more: {
        model: textValue(card["name"]),
        driver: { version: textValue(driver) },
        temperature: { gpuCelsius: numberValue(use["celsius"]) },
        power: { drawWatts: numberValue(use["draw"]), limitWatts: numberValue(use["cap"]) },
        memory: { usedBytes: bytesValue(use["used"]), totalBytes: bytesValue(use["total"]) },
        utilisation: { gpuPercent: percentValue(use["util"]) },
      },
    });
    return [reading];
  });
}

/** 1 or 2, from `xpu-smi --version` or `-v`: they take other arguments. */
export function xpuSmiDialect(text: string): 1 | 2 | undefined {
  const major = /(?:XPU-SMI v?|Version:\s*)(\d+)\./i.exec(text)?.[1];
  return major === undefined ? undefined : Number(major) >= 2 ? 2 : 1;
}
