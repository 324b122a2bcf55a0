/**
 * What can be rented of the accelerators: whole devices, or the partitions of those that are cut. Pure.
 */
import type { Accelerator, Accelerators, GpuPair } from "../../protocol/accelerator.ts";
import type { Gpu, GpuLink, GpuPartition } from "../../protocol/gpu.ts";
import { MAX_GPUS, MAX_LINKED_DEVICES } from "../../protocol/host.ts";
import { knownOr } from "./known.ts";

const LONGEST_MODEL = 80;
const LONGEST_PROFILE = 40;

/** In the order of their UUIDs. Left out is what is fenced, or whose model or memory nobody could read. */
export function rentableUnits({ gpus }: Pick<Accelerators, "gpus">): Gpu[] {
  return gpus
    .filter(({ health }) => health.state !== "fenced")
    .flatMap(unitsOf)
    .toSorted((a, b) => (a.uuid < b.uuid ? -1 : 1));
}

/**
 * What the agent is told: the units that are offered, and how their devices reach each other. There is room for 64 units,
 * and the last ones are left out; where there are more than 16 devices nothing is said of links.
 */
export function gpuFacts(
  units: readonly Gpu[],
  { pairs }: Pick<Accelerators, "pairs">,
): { gpus: Gpu[]; gpuLinks: GpuLink[] } {
  const gpus = units.slice(0, MAX_GPUS);
  const devices = new Set(gpus.map(({ uuid, partition }) => partition?.parent ?? uuid));
  if (devices.size > MAX_LINKED_DEVICES) return { gpus, gpuLinks: [] };
  return { gpus, gpuLinks: pairs.filter(({ a, b }) => devices.has(a) && devices.has(b)).map(linkOf) };
}

function linkOf({ a, b, overSwitch, ...pair }: GpuPair): GpuLink {
  const [path, nvlinks] = [knownOr(pair.path, undefined), knownOr(pair.nvlinks, undefined)];
  const xgmiWeight = knownOr(pair.xgmiWeight, undefined);
  return {
    a,
    b,
    overSwitch,
    ...(path === undefined ? {} : { path }),
    ...(nvlinks === undefined ? {} : { nvlinks }),
    ...(xgmiWeight === undefined ? {} : { xgmiWeight }),
  };
}

/** A device that is to be cut has no units until it is: a part of it may belong to somebody already. */
function unitsOf(gpu: Accelerator): Gpu[] {
  const model = knownOr(gpu.model, undefined);
  if (model === undefined) return [];
  if (gpu.partitions.length > 0) return gpu.partitions.flatMap((partition) => partOf(gpu, partition, model));
  return knownOr(gpu.partitioned, false) ? [] : unit(gpu, gpu, model);
}

function partOf(gpu: Accelerator, part: Accelerator["partitions"][number], model: string): Gpu[] {
  const profile = knownOr(part.profile, undefined)?.slice(0, LONGEST_PROFILE);
  const computeSlices = knownOr(part.computeSlices, undefined);
  const memorySlices = knownOr(part.memorySlices, undefined);
  const partition: GpuPartition = {
    parent: gpu.uuid,
    ...(profile === undefined ? {} : { profile }),
    ...(computeSlices === undefined ? {} : { computeSlices }),
    ...(memorySlices === undefined ? {} : { memorySlices }),
  };
  return unit(gpu, part, [model, profile ?? "part"].join(" ")).map((whole) => ({ ...whole, partition }));
}

function unit(gpu: Accelerator, { uuid, memory }: Pick<Accelerator, "uuid" | "memory">, model: string): Gpu[] {
  const memoryBytes = knownOr(memory.totalBytes, 0);
  if (memoryBytes === 0) return [];
  const { vendor, simulated } = gpu;
  return [{ uuid, vendor, model: model.slice(0, LONGEST_MODEL), memoryBytes, simulated }];
}
