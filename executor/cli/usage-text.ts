/**
 * Usage as people and spreadsheets read it. Pure. CSV is that of RFC 4180; amounts are integers.
 */
import type { Paint } from "../../common/cli/output.ts";
import { type Column, table } from "../../common/cli/table.ts";
import type { ChainedEntry, UsageTotal, UsageVerdict } from "../../protocol/usage.ts";

/** One entry a line; `ms` by a clock that never jumps, `at` the wall clock at the end of the interval. */
export const ENTRY_TITLES =
  "seq,pod,kind,reason,at,ms,gpus,cpus,memory_bytes,disk_bytes,in_bytes,out_bytes,hash" as const;

export function entryCsv({ seq, hash, entry }: ChainedEntry): string {
  const { podId, kind, reason, atMs, ms, gpus, cpus, memoryBytes, diskBytes, inBytes, outBytes } = entry;
  const at = new Date(atMs).toISOString();
  const amounts = [cpus, memoryBytes, diskBytes, inBytes, outBytes];
  return csv([seq, podId, kind, reason, at, ms, gpus.join(" "), ...amounts, hash]);
}

/** A line for what was billed and one for what was not, for each pod; seconds are rounded down once. */
export const TOTAL_TITLES =
  "pod,from,to,kind,seconds,gpu_seconds,cpu_seconds,memory_byte_seconds,disk_byte_seconds,in_bytes,out_bytes" as const;

export function totalCsv({ podId, from, to, ...kinds }: UsageTotal): string[] {
  return (["billed", "unbilled"] as const).map((kind) => {
    const { seconds, gpuSeconds, cpuSeconds, memoryByteSeconds, diskByteSeconds, inBytes, outBytes } = kinds[kind];
    const amounts = [seconds, gpuSeconds, cpuSeconds, memoryByteSeconds, diskByteSeconds, inBytes, outBytes];
    return csv([podId, from, to, kind, ...amounts]);
  });
}

function csv(values: readonly (string | number | undefined)[]): string {
  return values.map((value) => quoted(String(value ?? ""))).join(",");
}

function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function totalsTable(totals: readonly UsageTotal[], paint: Paint): string {
  if (totals.length === 0) return "No usage is recorded for that.";
  const columns: Column<UsageTotal>[] = [
    { title: "POD", text: ({ podId }) => podId },
    { title: "UNTIL", text: ({ to }) => to.slice(0, 19) },
    { title: "BILLED", text: ({ billed }) => duration(billed.seconds), style: () => "green" },
    { title: "GPU TIME", text: ({ billed }) => duration(billed.gpuSeconds) },
    { title: "UNBILLED", text: ({ unbilled }) => duration(unbilled.seconds) },
    { title: "IN", text: ({ billed, unbilled }) => mebibytes(billed.inBytes + unbilled.inBytes) },
    { title: "OUT", text: ({ billed, unbilled }) => mebibytes(billed.outBytes + unbilled.outBytes) },
    { title: "OF THAT", text: reasons },
  ];
  return table(totals, columns, paint);
}

function reasons({ secondsByReason }: UsageTotal): string {
  return Object.entries(secondsByReason)
    .map(([reason, seconds]) => `${reason} ${duration(seconds)}`)
    .join(", ");
}

function duration(seconds: number): string {
  const [hours, rest] = [Math.floor(seconds / 3_600), seconds % 3_600];
  return `${hours}:${String(Math.floor(rest / 60)).padStart(2, "0")}:${String(rest % 60).padStart(2, "0")}`;
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

export function verdictText({ intact, entries, head, faults }: UsageVerdict, paint: Paint): string {
  const end = head === undefined ? "" : ` It ends with entry ${head.seal.seq}, ${head.seal.hash}.`;
  if (intact) return `${paint("green", "intact")}: ${entries} entries follow from one another.${end}`;
  return [paint("red", "not intact"), ...faults.map(({ code, message }) => `  ${code}: ${message}`)].join("\n");
}
