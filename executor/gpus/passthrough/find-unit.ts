/**
 * What a UUID stands for in the picture of a host: a whole device, or a part of one. Pure.
 */
import type { Accelerator, Accelerators, Partition } from "../../../protocol/accelerator.ts";
import type { GpuUuid } from "../../../protocol/ids.ts";

export interface FoundUnit {
  readonly uuid: GpuUuid;
  /** The device, or the one that the part is of. */
  readonly device: Accelerator;
  readonly part: Partition | undefined;
}

type Picture = Pick<Accelerators, "gpus">;

export function findUnit({ gpus }: Picture, uuid: GpuUuid): FoundUnit | undefined {
  return gpus.flatMap(unitsOf).find((unit) => unit.uuid === uuid);
}

/** The device itself first. */
export function unitsOf(device: Accelerator): FoundUnit[] {
  const parts = device.partitions.map((part) => ({ uuid: part.uuid, device, part }));
  return [{ uuid: device.uuid, device, part: undefined }, ...parts];
}
