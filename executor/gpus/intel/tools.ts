/**
 * Intel's tools: xpu-smi, whose first and second versions take other arguments, and hl-smi for Gaudi.
 */
import type { AcceleratorReading } from "../../../protocol/accelerator.ts";
import { jsonIn } from "../amd/amd-smi.ts";
import { isUnavailable } from "../known.ts";
import { mergeReadings } from "../merge.ts";
import { parseTable } from "../nvidia/smi/table.ts";
import type { ToolDialect } from "../tool-source.ts";
import { HL_SMI_COLUMNS, readHlSmiTable } from "./hl-smi.ts";
import { readXpuSmiJson, readXpuSmiTable, xpuSmiDialect } from "./xpu-smi.ts";

const XPU_COLUMNS = [
  "index",
  "name",
  "pci.bus_id",
  "serial",
  "driver_version",
  "memory.total",
  "memory.used",
  "memory.free",
  "utilization.gpu",
  "temperature.gpu",
  "power.draw",
  "power.limit",
];

export const XPU_SMI: ToolDialect = {
  next: (outputs) => {
    const [version, list, ...details] = outputs;
    if (version === undefined) return ["--version"];
    const isSecond = xpuSmiDialect(version) === 2;
    if (list === undefined)
      return isSecond ? [`--query-gpu=${XPU_COLUMNS.join(",")}`, "--format=csv"] : ["discovery", "-j"];
    if (isSecond) return undefined;
    const count = readXpuSmiJson(jsonIn(list))?.length ?? 0;
    const device = String(Math.floor(details.length / 2));
    if (details.length >= 2 * count) return undefined;
    return details.length % 2 === 0 ? ["discovery", "-d", device, "-j"] : ["stats", "-d", device, "-j"];
  },
  parse: ([version = "", list = "", ...details]) => {
    if (xpuSmiDialect(version) === 2) return { readings: readXpuSmiTable(parseTable(list)) };
    const listed = readXpuSmiJson(jsonIn(list));
    return listed === undefined
      ? undefined
      : {
          readings: withDetails(
            listed,
            details.flatMap((one) => readXpuSmiJson(jsonIn(one)) ?? []),
          ),
        };
  },
};

/** Joined by the tool's own index, which is good for one run. */
export function withDetails(
  listed: readonly AcceleratorReading[],
  details: readonly AcceleratorReading[],
): AcceleratorReading[] {
  return listed.map((reading) => {
    const own = details.filter(({ index }) => !isUnavailable(index) && index === reading.index);
    return mergeReadings([reading, ...own]);
  });
}

export const HL_SMI: ToolDialect = {
  next: (outputs) => (outputs.length === 0 ? ["-Q", HL_SMI_COLUMNS.join(","), "-f", "csv"] : undefined),
  parse: ([output = ""]) => ({ readings: readHlSmiTable(parseTable(output)) }),
};
