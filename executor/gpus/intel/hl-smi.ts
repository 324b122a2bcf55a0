/**
 * What Habana's hl-smi prints of Gaudi devices: comma-separated values, or its table. Its index is neither their order on the
 * bus nor their module, so only the address joins it with anything. Pure.
 */
import type { AcceleratorReading } from "../../../protocol/accelerator.ts";
import { GpuUuid } from "../../../protocol/ids.ts";
import { unavailable } from "../known.ts";
import type { SmiTable } from "../nvidia/smi/table.ts";
import { pciAddress } from "../pci-address.ts";
import { bytesValue, countValue, numberValue, percentValue, textValue } from "../values.ts";

export const HL_SMI_COLUMNS = [
  "index",
  "uuid",
  "name",
  "bus_id",
  "serial",
  "driver_version",
  "memory.total",
  "memory.used",
  "memory.free",
  "power.draw",
  "power.max",
  "temperature.aip",
  "utilization.aip",
] as const;

interface Aip {
  readonly index: number;
  readonly address: string | undefined;
  readonly uuid: string | undefined;
  readonly more: Omit<AcceleratorReading, "uuid" | "vendor">;
}

/** In the order of their addresses, and of their indices where those are not known. */
function readingsOf(aips: readonly Aip[]): AcceleratorReading[] {
  const sorted = aips.toSorted((a, b) => (a.address ?? "").localeCompare(b.address ?? "") || a.index - b.index);
  return sorted.map(({ index, address, uuid, more }) => {
    const own = GpuUuid.safeParse(uuid);
    const key = address === undefined ? (own.success ? own.data : `hl-smi-${index}`) : `GAUDI-${address}`;
    return {
      uuid: GpuUuid.parse(key),
      identity: "capture",
      vendor: "intel",
      index,
      pciAddress: address ?? unavailable("not-read"),
      serial: textValue(uuid),
      ...more,
      sources: ["hl-smi"],
    };
  });
}

export function readHlSmiTable({ rows }: SmiTable): AcceleratorReading[] {
  return readingsOf(
    rows.map((row, position) => {
      const cell = (name: string): string | undefined => row.get(name);
      return {
        index: Number(cell("index") ?? position),
        address: pciAddress(cell("bus_id") ?? ""),
        uuid: cell("uuid"),
        more: {
          model: textValue(cell("name")),
          driver: { name: "habanalabs", version: textValue(cell("driver_version")) },
          memory: {
            totalBytes: bytesValue(cell("memory.total")),
            usedBytes: bytesValue(cell("memory.used")),
            freeBytes: bytesValue(cell("memory.free")),
          },
          power: { drawWatts: numberValue(cell("power.draw")), limitWatts: numberValue(cell("power.max")) },
          temperature: { gpuCelsius: numberValue(cell("temperature.aip")) },
          utilisation: { gpuPercent: percentValue(cell("utilization.aip")) },
        },
      };
    }),
  );
}

const NAME = /^\|\s*(?<index>\d+)\s+(?<name>\S+)\s+\S+\s*\|\s*(?<bus>[0-9a-f:.]+)\s+\S+\s*\|\s*(?<errors>\S+)\s*\|/i;
const USE =
  /^\|\s*\S+\s+(?<celsius>\S+)\s+\S+\s+(?<draw>\S+)\s*\/\s*(?<cap>\S+)\s*\|\s*(?<used>\S+)\s*\/\s*(?<total>\S+)\s*\|\s*(?<util>\S+)\s/;

/** Undefined where the text is not its table. */
export function readHlSmiBox(text: string): AcceleratorReading[] | undefined {
  if (!/HL-SMI Version:/.test(text)) return undefined;
  const version = textValue(/Driver Version:\s*([^\s|]+)/.exec(text)?.[1]);
  const lines = text.split("\n");
  return readingsOf(
    lines.flatMap((line, position): Aip[] => {
      const aip = NAME.exec(line)?.groups;
      const use = USE.exec(lines[position + 1] ?? "")?.groups;
      if (aip === undefined || use === undefined) return [];
      return [
        {
          index: Number(aip["index"]),
          address: pciAddress(aip["bus"] ?? ""),
          uuid: undefined,
          more: {
            model: textValue(aip["name"]),
            driver: { name: "habanalabs", version },
            ecc: { uncorrectedVolatile: countValue(aip["errors"]) },
            temperature: { gpuCelsius: numberValue(use["celsius"]) },
            power: { drawWatts: numberValue(use["draw"]), limitWatts: numberValue(use["cap"]) },
            memory: { usedBytes: bytesValue(use["used"]), totalBytes: bytesValue(use["total"]) },
            utilisation: { gpuPercent: percentValue(use["util"]) },
          },
        },
      ];
    }),
  );
}
