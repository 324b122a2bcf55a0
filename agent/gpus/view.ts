/**
 * What operators see of the accelerators that hosts told of. Pure.
 */
import type { Accelerator } from "../../protocol/accelerator.ts";
import { AppError } from "../../protocol/errors.ts";
import type { GpuHolder } from "../../protocol/gpu-report.ts";
import type { GpuUuid, HostId } from "../../protocol/ids.ts";
import type { GpuDetails, GpuSummary } from "../../protocol/operator-gpus.ts";
import type { ToldGpus } from "./gpu-reports.ts";

/** A host, and what it told of its accelerators. */
export interface TellingHost {
  readonly hostId: HostId;
  readonly name: string;
  readonly connected: boolean;
  readonly told: ToldGpus | undefined;
}

/** Those of one host alone where it is named. */
export function listGpus(hosts: readonly TellingHost[], hostId: HostId | undefined): GpuSummary[] {
  return hosts.filter((host) => hostId === undefined || host.hostId === hostId).flatMap(summariesOf);
}

/** Throws `gpu-not-found`. A device that was moved is still told of by the host that it was in, where that has gone away. */
export function findGpu(hosts: readonly TellingHost[], uuid: GpuUuid): GpuDetails {
  const seen = hosts.flatMap((host) => detailsOf(uuid, host) ?? []);
  const gpu = seen.find(({ live }) => live) ?? seen[0];
  if (gpu === undefined) throw new AppError("gpu-not-found", { details: { uuid } });
  return gpu;
}

function summariesOf(host: TellingHost): GpuSummary[] {
  const { gpus = [], holders = [] } = host.told?.state ?? {};
  return gpus.map((gpu) => ({
    ...originOf(host),
    uuid: gpu.uuid,
    vendor: gpu.vendor,
    model: gpu.model,
    pciAddress: gpu.pciAddress,
    memory: gpu.memory,
    utilisation: gpu.utilisation,
    temperature: gpu.temperature,
    power: gpu.power,
    health: gpu.health,
    simulated: gpu.simulated,
    pods: [...new Set(holdersOf(gpu, holders).map(({ podId }) => podId))],
    parts: gpu.partitions.map(({ uuid }) => uuid),
  }));
}

/** By the UUID of a device or of a part of it. */
function detailsOf(uuid: string, host: TellingHost): GpuDetails | undefined {
  const { gpus = [], holders = [], pairs = [] } = host.told?.state ?? {};
  const gpu = gpus.find((one) => one.uuid === uuid || one.partitions.some((part) => part.uuid === uuid));
  if (gpu === undefined) return undefined;
  return {
    ...originOf(host),
    gpu,
    holders: holdersOf(gpu, holders),
    pairs: pairs.filter(({ a, b }) => a === gpu.uuid || b === gpu.uuid),
  };
}

/** Those that have the device or a part of it. */
function holdersOf({ uuid, partitions }: Accelerator, holders: readonly GpuHolder[]): GpuHolder[] {
  const units = new Set([uuid, ...partitions.map((part) => part.uuid)]);
  return holders.filter((holder) => units.has(holder.uuid));
}

function originOf({ hostId, name, connected, told }: TellingHost) {
  return { hostId, hostName: name, live: connected, readAt: told?.state.at ?? new Date(0).toISOString() };
}
