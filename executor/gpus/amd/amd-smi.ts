/**
 * What amd-smi prints with --json, of all its generations: a list up to ROCm 6, `gpu_data` from 7 on; numbers bare, with a unit
 * or in a record; "N/A" where a block should be; a warning before it all. Several outputs are joined by their index. Pure.
 */
import type { AcceleratorReading, GpuProcess, Known, ThrottleReason } from "../../../protocol/accelerator.ts";
import { GpuUuid } from "../../../protocol/ids.ts";
import { firstKnown, isUnavailable, knownOr, mapKnown, unavailable } from "../known.ts";
import { all, at, isBlock, type Node, text } from "../node.ts";
import { pciAddress } from "../pci-address.ts";
import type { PairReading } from "../source.ts";
import { textValue } from "../values.ts";
import { amount, bytesAmount, countAmount } from "./amounts.ts";

export interface AmdSmiOutput {
  readonly readings: readonly AcceleratorReading[];
  readonly pairs: readonly PairReading[];
}

/** The documents of one host: `list`, `static`, `metric`, `process`, `topology`, in any order. Undefined where none is one. */
export function readAmdSmi(documents: readonly unknown[]): AmdSmiOutput | undefined {
  const entries = documents.flatMap((document) => entriesOf(document) ?? []);
  if (entries.length === 0) return undefined;
  const byIndex = new Map<number, Node[]>();
  for (const entry of entries) {
    const index = knownOr(amount(at(entry, "gpu")), -1);
    byIndex.set(index, [...(byIndex.get(index) ?? []), entry]);
  }
  const merged = [...byIndex].map(([index, parts]) => ({ index, gpu: joined(parts) }));
  return { readings: merged.map(({ index, gpu }) => readingOf(index, gpu)), pairs: pairsOf(merged) };
}

/** Blocks of one name, as the limits and the use of clocks are, are joined too. */
function joined(parts: readonly Node[]): Node {
  return parts.filter(isBlock).reduce<Record<string, unknown>>((whole, part) => {
    for (const [name, value] of Object.entries(part)) {
      const before = whole[name];
      whole[name] = isBlock(before) && isBlock(value) ? { ...before, ...value } : isBlock(before) ? before : value;
    }
    return whole;
  }, {});
}

/** Undefined for a document of another kind. */
export function entriesOf(document: unknown): readonly Node[] | undefined {
  const list = isBlock(document) ? at(document, "gpu_data") : document;
  if (!Array.isArray(list)) return undefined;
  const entries = list.filter((entry: unknown) => isBlock(entry) && "gpu" in entry);
  return entries.length === 0 ? undefined : entries;
}

/** JSON that may have lines of text before it. */
export function jsonIn(output: string): unknown {
  const begin = output.search(/^\s*[[{]/m);
  try {
    return begin < 0 ? undefined : JSON.parse(output.slice(begin));
  } catch {
    // A tool that was cut off said nothing.
    return undefined;
  }
}

function readingOf(index: number, gpu: Node): AcceleratorReading {
  const address = pciAddress(text(gpu, "bdf") ?? text(gpu, "bus", "bdf") ?? "");
  const core = at(gpu, "clock", "gfx_0");
  const memory = at(gpu, "clock", "mem_0");
  return {
    uuid: GpuUuid.parse(address === undefined ? `amd-smi-${index}` : `AMD-${address}`),
    identity: "capture",
    vendor: "amd",
    index,
    pciAddress: address ?? unavailable("not-read"),
    pciId: pciIdOf(gpu),
    model: firstKnown(textValue(text(gpu, "asic", "market_name")), textValue(text(gpu, "board", "product_name"))),
    serial: firstKnown(
      serialValue(text(gpu, "board", "product_serial")),
      serialValue(text(gpu, "asic", "asic_serial")),
    ),
    driver: {
      name: textValue(text(gpu, "driver", "name")),
      version: textValue(text(gpu, "driver", "version")),
      firmware: firstKnown(textValue(text(gpu, "vbios", "part_number")), textValue(text(gpu, "vbios", "version"))),
    },
    numaNode: countAmount(at(gpu, "numa", "node")),
    memory: memoryOf(gpu),
    utilisation: {
      gpuPercent: amount(at(gpu, "usage", "gfx_activity")),
      memoryPercent: amount(at(gpu, "usage", "umc_activity")),
    },
    temperature: {
      gpuCelsius: firstKnown(amount(at(gpu, "temperature", "hotspot")), amount(at(gpu, "temperature", "edge"))),
      memoryCelsius: amount(at(gpu, "temperature", "mem")),
      slowdownCelsius: amount(at(gpu, "limit", "slowdown_hotspot_temperature")),
    },
    fanPercent: amount(at(gpu, "fan", "usage")),
    power: {
      drawWatts: firstKnown(amount(at(gpu, "power", "socket_power")), amount(at(gpu, "power", "average_socket_power"))),
      limitWatts: firstKnown(amount(at(gpu, "limit", "socket_power")), amount(at(gpu, "limit", "max_power"))),
      energyMillijoules: mapKnown(amount(at(gpu, "energy", "total_energy_consumption")), (joules) =>
        Math.round(joules * 1000),
      ),
    },
    clocks: {
      coreMhz: amount(at(core, "clk")),
      maxCoreMhz: amount(at(core, "max_clk")),
      memoryMhz: amount(at(memory, "clk")),
      maxMemoryMhz: amount(at(memory, "max_clk")),
    },
    throttle: { reasons: throttleOf(gpu) },
    ecc: eccOf(gpu),
    pcie: pcieOf(gpu),
    processes: processesOf(gpu),
    partitioned: isCut(gpu),
    sources: ["amd-smi"],
  };
}

/** Cards without a serial say 0. */
function serialValue(value: string | undefined): Known<string> {
  const serial = textValue(value);
  return !isUnavailable(serial) && /^(0x)?0+$/.test(serial) ? unavailable("not-supported") : serial;
}

function pciIdOf(gpu: Node): Known<string> {
  const hex = (name: string): string | undefined =>
    /^0x([0-9a-f]{4})$/i.exec(text(gpu, "asic", name) ?? "")?.[1]?.toLowerCase();
  const [vendor, device] = [hex("vendor_id"), hex("device_id")];
  return vendor === undefined || device === undefined ? unavailable("not-read") : `${vendor}:${device}`;
}

function memoryOf(gpu: Node): NonNullable<AcceleratorReading["memory"]> {
  return {
    totalBytes: firstKnown(bytesAmount(at(gpu, "mem_usage", "total_vram")), bytesAmount(at(gpu, "vram", "size"))),
    usedBytes: bytesAmount(at(gpu, "mem_usage", "used_vram")),
    freeBytes: bytesAmount(at(gpu, "mem_usage", "free_vram")),
  };
}

const VIOLATIONS: readonly (readonly [name: string, reason: ThrottleReason])[] = [
  ["ppt", "power-cap"],
  ["prochot", "hw-thermal"],
  ["socket_thermal", "hw-thermal"],
  ["hbm_thermal", "hw-thermal"],
  ["vr_thermal", "hw-thermal"],
];

/** Older ones say only that it is, newer ones why. */
function throttleOf(gpu: Node): Known<ThrottleReason[]> {
  const status = text(gpu, "power", "throttle_status");
  const active = VIOLATIONS.filter(([name]) => text(gpu, "throttle", `${name}_violation_status`) === "ACTIVE").map(
    ([, reason]) => reason,
  );
  if (active.length > 0) return [...new Set(active)];
  if (status === "THROTTLED") return ["other"];
  return status === "UNTHROTTLED" || isBlock(at(gpu, "throttle"))
    ? []
    : firstKnown<ThrottleReason[]>(unavailable("not-read"), noText(status));
}

function noText(value: string | undefined): Known<never> {
  const read = textValue(value);
  return isUnavailable(read) ? read : unavailable("error", read);
}

function eccOf(gpu: Node): NonNullable<AcceleratorReading["ecc"]> {
  const states = at(gpu, "ras", "ecc_block_state");
  return {
    enabled: isBlock(states) ? Object.values(states).includes("ENABLED") : unavailable("not-read"),
    correctedVolatile: countAmount(at(gpu, "ecc", "total_correctable_count")),
    uncorrectedVolatile: countAmount(at(gpu, "ecc", "total_uncorrectable_count")),
  };
}

const GENERATIONS = [2.5, 5, 8, 16, 32, 64];

function generationOf(value: Node): Known<number> {
  const speed = amount(value);
  if (isUnavailable(speed)) return speed;
  const at = GENERATIONS.indexOf(speed);
  return at < 0 ? unavailable("error", String(speed)) : at + 1;
}

function pcieOf(gpu: Node): NonNullable<AcceleratorReading["pcie"]> {
  return {
    generation: generationOf(at(gpu, "pcie", "speed")),
    width: countAmount(at(gpu, "pcie", "width")),
    maxGeneration: generationOf(at(gpu, "bus", "max_pcie_speed")),
    maxWidth: countAmount(at(gpu, "bus", "max_pcie_width")),
    replays: countAmount(at(gpu, "pcie", "replay_count")),
  };
}

/** The list may hold a text that says there are none. */
function processesOf(gpu: Node): Known<GpuProcess[]> {
  const list = at(gpu, "process_list") ?? at(gpu, "process_info");
  if (list === undefined) return unavailable("not-read");
  return all(list).flatMap((item): GpuProcess[] => {
    const process = isBlock(at(item, "process_info")) ? at(item, "process_info") : item;
    const pid = countAmount(at(process, "pid"));
    return isUnavailable(pid) || pid === 0
      ? []
      : [{ pid, memoryBytes: bytesAmount(at(process, "memory_usage", "vram_mem")) }];
  });
}

function isCut(gpu: Node): Known<boolean> {
  const partition = at(gpu, "partition");
  const mode = textValue(text(partition, "accelerator_partition") ?? text(partition, "compute_partition"));
  return mapKnown(mode, (name) => name !== "SPX");
}

/** Up to ROCm 6.3 by index, after that by address. */
function pairsOf(gpus: readonly { readonly index: number; readonly gpu: Node }[]): PairReading[] {
  const addressOf = new Map(
    gpus.map(({ index, gpu }) => [index, pciAddress(text(gpu, "bdf") ?? text(gpu, "bus", "bdf") ?? "")]),
  );
  const pairs = gpus.flatMap(({ index, gpu }) => {
    const a = addressOf.get(index);
    const links = [...newLinks(gpu), ...oldLinks(gpu, addressOf)];
    return links.flatMap(({ b, weight }) =>
      a === undefined || b === undefined || a >= b ? [] : [{ a, b, xgmiWeight: weight }],
    );
  });
  return pairs;
}

interface Link {
  readonly b: string | undefined;
  readonly weight: number;
}

function newLinks(gpu: Node): Link[] {
  return all(at(gpu, "links")).flatMap((link) => {
    const weight = amount(at(link, "weight"));
    return text(link, "link_type") !== "XGMI" || isUnavailable(weight)
      ? []
      : [{ b: pciAddress(text(link, "bdf") ?? ""), weight }];
  });
}

function oldLinks(gpu: Node, addressOf: ReadonlyMap<number, string | undefined>): Link[] {
  const types = at(gpu, "link_type");
  if (!isBlock(types)) return [];
  return Object.entries(types).flatMap(([name, type]) => {
    const weight = amount(at(gpu, "weight", name));
    return type !== "XGMI" || isUnavailable(weight)
      ? []
      : [{ b: addressOf.get(Number(name.replace("gpu_", ""))), weight }];
  });
}
