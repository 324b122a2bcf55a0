/**
 * Whose output a captured text is, from its content alone, and its parts where it holds several. Pure.
 */
import { stripVTControlCharacters } from "node:util";

import { entriesOf, jsonIn } from "../amd/amd-smi.ts";
import { readRocmSmi } from "../amd/rocm-smi.ts";
import { readXpuSmiJson } from "../intel/xpu-smi.ts";
import { parseTable, type SmiTable } from "../nvidia/smi/table.ts";

export type Capture =
  | {
      readonly kind: "nvidia-smi-xml" | "nvidia-smi-list" | "nvidia-smi-nvlink" | "nvidia-smi-topology";
      readonly text: string;
    }
  | {
      readonly kind: "nvidia-smi-csv" | "nvidia-smi-processes" | "xpu-smi-csv" | "hl-smi-csv";
      readonly table: SmiTable;
      readonly text: string;
    }
  | { readonly kind: "amd-smi" | "rocm-smi" | "xpu-smi"; readonly document: unknown }
  | { readonly kind: "xpu-smi-box" | "xpu-smi-summary" | "hl-smi-box"; readonly text: string }
  /** The tool itself says that it found nothing. */
  | { readonly kind: "nothing-found"; readonly text: string };

/** What each captured text is; several where it holds the outputs of several commands, none where it is not known. */
export function recognise(text: string): Capture[] {
  const sections = sectionsOf(text);
  return sections.length > 0 ? sections.flatMap(recogniseOne) : recogniseOne(text);
}

function recogniseOne(raw: string): Capture[] {
  const text = stripVTControlCharacters(raw);
  if (text.includes("<nvidia_smi_log")) return [{ kind: "nvidia-smi-xml", text }];
  const byJson = jsonKind(text);
  if (byJson !== undefined) return [byJson];
  if (/HL-SMI Version:/.test(text)) return [{ kind: "hl-smi-box", text }];
  if (/Intel XPU-SMI v/.test(text)) return [{ kind: "xpu-smi-summary", text }];
  if (/\| Device ID\s*\| Device Information/.test(text)) return [{ kind: "xpu-smi-box", text }];
  if (/^\s+Link \d+: /m.test(text)) return [{ kind: "nvidia-smi-nvlink", text }];
  if (/^GPU \d+: .+ \(UUID: /m.test(text)) return [{ kind: "nvidia-smi-list", text }];
  if (/^\s*GPU0\t/m.test(text)) return [{ kind: "nvidia-smi-topology", text: fromTable(text) }];
  const byTable = tableKind(text);
  if (byTable !== undefined) return [byTable];
  const hasFailed =
    /NVIDIA-SMI has failed|Failed to initialize NVML|No devices were found|No device(s)? (found|discovered)/i.test(
      text,
    );
  return hasFailed ? [{ kind: "nothing-found", text: text.trim().slice(0, 300) }] : [];
}

function jsonKind(text: string): Capture | undefined {
  if (!/^\s*[[{]/m.test(text)) return undefined;
  const document = jsonIn(text);
  if (document === undefined) return undefined;
  if (entriesOf(document) !== undefined) return { kind: "amd-smi", document };
  if (readRocmSmi(document) !== undefined) return { kind: "rocm-smi", document };
  return readXpuSmiJson(document) === undefined ? undefined : { kind: "xpu-smi", document };
}

/** The first line names the columns; without it nobody can say what they are. */
function tableKind(text: string): Capture | undefined {
  const lines = text.split("\n");
  const begin = lines.findIndex((line) => /^\s*[a-z_.]+( \[[^\]]+\])?(\s*,\s*[\w.]+( \[[^\]]+\])?)+\s*$/i.test(line));
  if (begin < 0) return undefined;
  const rest = lines.slice(begin).join("\n");
  const table = parseTable(rest);
  const columns = new Set((lines[begin] ?? "").split(",").map((name) => name.trim().replace(/\s*\[.*\]$/, "")));
  const has = (...names: string[]): boolean => names.some((name) => columns.has(name));
  if (has("temperature.aip", "utilization.aip")) return { kind: "hl-smi-csv", table, text: rest };
  if (has("pid") && has("gpu_uuid")) return { kind: "nvidia-smi-processes", table, text: rest };
  const isIntel = table.rows.some((row) => /intel/i.test(row.get("name") ?? ""));
  if (isIntel) return { kind: "xpu-smi-csv", table, text: rest };
  return has("uuid", "gpu_uuid", "pci.bus_id", "gpu_bus_id")
    ? { kind: "nvidia-smi-csv", table, text: rest }
    : undefined;
}

/** From the line that names the columns on. */
function fromTable(text: string): string {
  const lines = text.split("\n");
  return lines.slice(lines.findIndex((line) => /GPU0\t/.test(line))).join("\n");
}

/** Outputs of several commands in one file, each after a header that says `# $ command`. */
function sectionsOf(text: string): string[] {
  const parts = text.split(/^#{8,}\n(?:# .*\n)*?# \$ .*\n#{8,}\n/m);
  return parts.length < 2 ? [] : parts.slice(1).map((part) => part.split(/^#{8,}$/m)[0] ?? "");
}
