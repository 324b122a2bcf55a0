/**
 * The devices and parts of devices that pods have, and the values of what is known. Pure.
 */
import type { Accelerator, Known } from "../../protocol/accelerator.ts";
import type { HostId, PodId } from "../../protocol/ids.ts";
import type { TellingHost } from "./view.ts";

/** A whole device, or `part` of it. */
export interface HeldUnit {
  readonly hostId: HostId;
  readonly podId: PodId;
  readonly gpu: Accelerator;
  readonly part: Accelerator["partitions"][number] | undefined;
}

/** Holders of devices that the host does not tell of are left out. */
export function heldUnits({ hostId, told }: TellingHost): HeldUnit[] {
  const { gpus = [], holders = [] } = told?.state ?? {};
  return holders.flatMap(({ uuid, podId }) => {
    const gpu = gpus.find((one) => one.uuid === uuid || one.partitions.some((part) => part.uuid === uuid));
    return gpu === undefined ? [] : [{ hostId, podId, gpu, part: gpu.partitions.find((part) => part.uuid === uuid) }];
  });
}

export function knownNumber(value: Known<number> | boolean | undefined): number | undefined {
  if (typeof value === "boolean") return value ? 1 : 0;
  return typeof value === "number" ? value : undefined;
}

export function knownText(value: Known<string>): string | undefined {
  return typeof value === "string" ? value : undefined;
}
