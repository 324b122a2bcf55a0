/**
 * What can be rented of the accelerators: whole devices, or the partitions of those that are cut. Pure.
 */
import type { Accelerator, Accelerators } from "../../protocol/accelerator.ts";
import type { Gpu } from "../../protocol/gpu.ts";
import { knownOr } from "./known.ts";

const LONGEST_MODEL = 80;

/** In the order of their UUIDs. Left out is what is fenced, or whose model or memory nobody could read. */
export function rentableUnits({ gpus }: Pick<Accelerators, "gpus">): Gpu[] {
  return gpus
    .filter(({ health }) => health.state !== "fenced")
    .flatMap(unitsOf)
    .toSorted((a, b) => (a.uuid < b.uuid ? -1 : 1));
}

/** A device that is to be cut has no units until it is: a part of it may belong to somebody already. */
function unitsOf(gpu: Accelerator): Gpu[] {
  const model = knownOr(gpu.model, undefined);
  if (model === undefined) return [];
  if (gpu.partitions.length > 0) {
    return gpu.partitions.flatMap((part) => unit(gpu, part, [model, knownOr(part.profile, "part")].join(" ")));
  }
  return knownOr(gpu.partitioned, false) ? [] : unit(gpu, gpu, model);
}

function unit(gpu: Accelerator, { uuid, memory }: Pick<Accelerator, "uuid" | "memory">, model: string): Gpu[] {
  const memoryBytes = knownOr(memory.totalBytes, 0);
  if (memoryBytes === 0) return [];
  const { vendor, simulated } = gpu;
  return [{ uuid, vendor, model: model.slice(0, LONGEST_MODEL), memoryBytes, simulated }];
}
