/**
 * The comma-separated output of nvidia-smi: rows that are whole are kept, and prose between them is read for the device that
 * it complains of. With a sick device the tool prints both, and fails. Pure.
 */
import { pciAddress } from "../../pci-address.ts";

export type Row = ReadonlyMap<string, string>;

export interface SmiTable {
  readonly rows: readonly Row[];
  /** What it said of devices that have no row, by their addresses. */
  readonly complaints: ReadonlyMap<string, string>;
}

/** `names` are the columns that were asked for; left out, the first line has them. */
export function parseTable(text: string, names?: readonly string[]): SmiTable {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const columns = names ?? columnsIn(lines.shift() ?? "");
  const rows: Row[] = [];
  const complaints = new Map<string, string>();
  for (const line of lines) {
    const cells = line.split(",").map((cell) => cell.trim());
    const address = addressIn(line);
    if (cells.length === columns.length && columns.length > 1)
      rows.push(new Map(columns.map((name, at) => [name, cells[at] ?? ""])));
    else if (address !== undefined) complaints.set(address, line.trim().slice(0, 300));
  }
  return { rows, complaints };
}

/** `memory.total [MiB]` is the column `memory.total`. */
function columnsIn(line: string): string[] {
  return line.split(",").map((name) => name.trim().replace(/\s*\[.*\]$/, ""));
}

/** Of the device that a line of prose is about, such as `... handle for GPU0000:2A:00.0: Unknown Error`. */
export function addressIn(line: string): string | undefined {
  const written = /(?:GPU\s*|gpu\s+|PCI:)([0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])/i.exec(line)?.[1];
  return written === undefined ? undefined : pciAddress(written);
}

/** The names that `--help-query-gpu` lists: what this driver can be asked for. */
export function namesInHelp(text: string): ReadonlySet<string> {
  const lines = text.split("\n").filter((line) => line.startsWith('"'));
  return new Set(lines.flatMap((line) => [...line.matchAll(/"([\w.]+)"/g)].map(([, name = ""]) => name)));
}
