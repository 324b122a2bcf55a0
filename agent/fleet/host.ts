/**
 * What the agent believes of a host, and what is free on it. Pure; derived each time, so nothing leaks or counts twice.
 *
 * A pod holds what it was given until its host says that it is over; a host that is silent frees nothing.
 */
import type { Gpu } from "../../protocol/gpu.ts";
import { closesHost, type HostFacts, type HostResources } from "../../protocol/host.ts";
import { isOver } from "../../protocol/pod.ts";
import type { HostRecord, PodRecord } from "../store/records.ts";

export interface Host {
  readonly record: HostRecord;
  readonly connected: boolean;
  /** Whether it has told all its pods since it connected. Until then nothing about them is current, nor what is free. */
  readonly ready: boolean;
}

export interface Free {
  readonly resources: HostResources;
  /** In the order in which the host lists them. */
  readonly gpus: readonly Gpu[];
}

/** Whether nothing of the pod is left on its host. */
export function hasEnded(pod: PodRecord): boolean {
  return pod.status !== undefined && isOver(pod.status.phase);
}

export const NOTHING_FREE: Free = { resources: { cpus: 0, memoryBytes: 0, diskBytes: 0 }, gpus: [] };

/**
 * What the host rents out less what the pods on it hold; never below zero, never more than it rents out.
 * Nothing is free on a host that a problem closes, nor beside a pod on a host that takes only one.
 */
export function freeOn({ rentable, gpus, shared, problems }: HostFacts, pods: readonly PodRecord[]): Free {
  const holders = pods.filter((pod) => !hasEnded(pod));
  if (problems.some(closesHost) || (!shared && holders.length > 0)) return NOTHING_FREE;
  const taken = new Set(holders.flatMap(({ wanted }) => wanted.gpus));
  const left = (kind: keyof HostResources): number => {
    const used = holders.reduce((sum, { wanted }) => sum + wanted.spec[kind], 0);
    return Math.max(0, withoutNoise(rentable[kind] - used));
  };
  return {
    resources: { cpus: left("cpus"), memoryBytes: left("memoryBytes"), diskBytes: left("diskBytes") },
    // A part of a device that somebody has whole is not free.
    gpus: gpus.filter(({ uuid, partition }) => !taken.has(uuid) && !taken.has(partition?.parent ?? uuid)),
  };
}

/** Sums of fractions of a CPU miss by a hair: 0.3 - 0.1 must still have room for 0.2. */
function withoutNoise(amount: number): number {
  return Math.round(amount * 1e6) / 1e6;
}
