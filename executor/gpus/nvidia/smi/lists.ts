/**
 * The lists that nvidia-smi prints for people and that exist in no other form: devices with their MIG instances (-L), how
 * devices reach each other (topo -m), and who computes on them. Pure.
 */
import { stripVTControlCharacters } from "node:util";

import type {
  AcceleratorReading,
  FabricLink,
  GpuProcess,
  Known,
  Partition,
  PciPath,
} from "../../../../protocol/accelerator.ts";
import { GpuUuid } from "../../../../protocol/ids.ts";
import { isUnavailable, unavailable } from "../../known.ts";
import { bytesValue } from "../../values.ts";
import { parseTable } from "./table.ts";

export interface ListedGpu {
  readonly index: number;
  readonly uuid: GpuUuid;
  readonly model: string;
  readonly partitions: readonly Partition[];
}

const GPU = /^GPU (?<index>\d+): (?<model>.+) \(UUID: (?<uuid>[^)]+)\)\s*$/;
const MIG = /^\s+MIG (?<profile>\S+)\s+Device\s+(?<index>\d+): \(UUID: (?<uuid>[^)]+)\)\s*$/;

/** From `nvidia-smi -L`. */
export function parseList(text: string): ListedGpu[] {
  const gpus: (ListedGpu & { partitions: Partition[] })[] = [];
  for (const line of text.split("\n")) {
    const gpu = GPU.exec(line)?.groups;
    const uuid = GpuUuid.safeParse(gpu?.["uuid"]);
    if (gpu !== undefined && uuid.success) {
      gpus.push({ index: Number(gpu["index"]), uuid: uuid.data, model: gpu["model"] ?? "", partitions: [] });
    }
    const parent = gpus.at(-1);
    const part = MIG.exec(line)?.groups;
    if (parent !== undefined && part !== undefined) parent.partitions.push(...partitionOf(parent.uuid, part));
  }
  return gpus;
}

/** Less than what it holds, for most profiles: the name rounds, and only the library says it exactly. */
const GIGABYTE = 1e9;

/** The name of a profile says its slices and, rounded to GB, its memory. */
function partitionOf(parent: GpuUuid, part: Readonly<Record<string, string>>): Partition[] {
  const uuid = GpuUuid.safeParse(part["uuid"]?.replaceAll("/", "."));
  if (!uuid.success) return [];
  const profile = part["profile"] ?? "";
  const { slices, gigabytes } = /(?<slices>\d+)g\.(?<gigabytes>\d+)gb/.exec(profile)?.groups ?? {};
  const none = unavailable("not-read");
  return [
    {
      uuid: uuid.data,
      kind: "mig",
      parent,
      index: Number(part["index"]),
      profile,
      computeSlices: slices === undefined ? none : Number(slices),
      memorySlices: none,
      gpuInstance: none,
      computeInstance: none,
      memory: {
        totalBytes: gigabytes === undefined ? none : Number(gigabytes) * GIGABYTE,
        usedBytes: none,
        freeBytes: none,
        reservedBytes: none,
      },
      nodes: [],
    },
  ];
}

/** From `nvidia-smi nvlink -s`, by the devices' UUIDs; where a link ends it does not say. */
export function parseNvlinks(text: string): ReadonlyMap<string, FabricLink[]> {
  const found = new Map<string, FabricLink[]>();
  let links: FabricLink[] = [];
  const none = unavailable("not-read");
  for (const line of text.split("\n")) {
    const uuid = GPU.exec(line)?.groups?.["uuid"];
    if (uuid !== undefined) found.set(uuid, (links = []));
    const { index, speed } = /^\s+Link (?<index>\d+): (?<speed>.+?)\s*$/.exec(line)?.groups ?? {};
    if (index === undefined) continue;
    const active = /GB\/s/.test(speed ?? "");
    links.push({ index: Number(index), kind: "nvlink", active, remote: none, remotePciAddress: none, errors: none });
  }
  return found;
}

export interface TopologyPair {
  readonly a: number;
  readonly b: number;
  readonly path?: PciPath;
  readonly nvlinks?: number;
}

const PATHS: Readonly<Record<string, PciPath>> = {
  PIX: "one-switch",
  PXB: "switches",
  PHB: "host-bridge",
  NODE: "numa-node",
  SYS: "system",
};

/** From `nvidia-smi topo -m`; cards other than GPUs are left out, and what two devices say differently is left out too. */
export function parseTopology(text: string): TopologyPair[] {
  const lines = stripVTControlCharacters(text).split("\n");
  const columns = lines[0]?.split("\t").map((cell) => cell.trim()) ?? [];
  const cells = new Map<string, string>();
  for (const line of lines.slice(1)) {
    const [name = "", ...values] = line.split("\t").map((cell) => cell.trim());
    const row = /^GPU(\d+)$/.exec(name)?.[1];
    if (row === undefined) continue;
    for (const [at, value] of values.entries()) {
      const column = /^GPU(\d+)$/.exec(columns[at + 1] ?? "")?.[1];
      if (column !== undefined) cells.set(`${row} ${column}`, value);
    }
  }
  return [...cells].flatMap(([key, value]) => {
    const [a = 0, b = 0] = key.split(" ").map(Number);
    if (a >= b || cells.get(`${b} ${a}`) !== value) return [];
    const nvlinks = /^NV(\d+)$/.exec(value)?.[1];
    const path = PATHS[value];
    if (nvlinks !== undefined) return [{ a, b, nvlinks: Number(nvlinks) }];
    return path === undefined ? [] : [{ a, b, path, nvlinks: 0 }];
  });
}

export const PROCESS_COLUMNS = ["gpu_uuid", "pid", "used_gpu_memory"] as const;

/** From `--query-compute-apps`, by the devices' UUIDs; with no names where the columns are those of above. */
export function parseProcesses(text: string, hasHeader = false): ReadonlyMap<string, GpuProcess[]> {
  const { rows } = parseTable(text, hasHeader ? undefined : PROCESS_COLUMNS);
  const found = new Map<string, GpuProcess[]>();
  for (const row of rows) {
    const [uuid, pid] = [row.get("gpu_uuid"), Number(row.get("pid"))];
    if (uuid === undefined || !Number.isInteger(pid) || pid <= 0) continue;
    const memory: Known<number> = bytesValue(row.get("used_gpu_memory") ?? row.get("used_memory"));
    const others = found.get(uuid) ?? [];
    found.set(uuid, [...others, { pid, memoryBytes: memory }]);
  }
  return found;
}

/** Adds to a reading what the lists say of its device. */
export function withLists(
  reading: AcceleratorReading,
  lists: {
    readonly listed: readonly ListedGpu[];
    readonly processes: ReadonlyMap<string, GpuProcess[]> | undefined;
    readonly links?: ReadonlyMap<string, FabricLink[]>;
  },
): AcceleratorReading {
  const listed = lists.listed.find(({ uuid }) => uuid === reading.uuid);
  const { processes } = lists;
  const links = lists.links?.get(reading.uuid) ?? [];
  return {
    ...reading,
    ...(links.length === 0 ? {} : { fabricLinks: links }),
    ...(listed === undefined ? {} : { partitions: [...listed.partitions] }),
    ...(processes === undefined || isUnavailable(reading.memory)
      ? {}
      : { processes: processes.get(reading.uuid) ?? [] }),
  };
}
