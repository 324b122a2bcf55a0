/**
 * Who holds what on this host. Derived from the records each time, never kept: nothing can leak or be counted twice.
 * A container of ours that cannot be read blocks what it may hold; it never frees it.
 */
import type { HostResources } from "../../protocol/host.ts";
import type { GpuUuid, PodId } from "../../protocol/ids.ts";
import type { PodRecord } from "./state.ts";

export interface Claims {
  readonly gpus: ReadonlyMap<GpuUuid, PodId>;
  /** Keys are `hostPort/protocol`. */
  readonly ports: ReadonlyMap<string, PodId>;
  readonly used: HostResources;
}

export function portKey(hostPort: number, protocol: "tcp" | "udp"): string {
  return `${hostPort}/${protocol}`;
}

/** What is left of the rentable; never below zero. In millionths, because sums of fractions of a CPU miss by a hair. */
export function freeOf(rentable: HostResources, used: HostResources): HostResources {
  const left = (kind: keyof HostResources): number =>
    Math.max(0, Math.round((rentable[kind] - used[kind]) * 1e6) / 1e6);
  return { cpus: left("cpus"), memoryBytes: left("memoryBytes"), diskBytes: left("diskBytes") };
}

/** What the records hold; a record that is over holds nothing. */
export function claimsOf(records: Iterable<PodRecord>): Claims {
  const gpus = new Map<GpuUuid, PodId>();
  const ports = new Map<string, PodId>();
  const used = { cpus: 0, memoryBytes: 0, diskBytes: 0 };
  for (const { wanted, ports: bindings, overAt } of records) {
    if (overAt !== undefined) continue;
    for (const uuid of wanted.gpus) gpus.set(uuid, wanted.podId);
    for (const binding of bindings) ports.set(portKey(binding.hostPort, binding.protocol), wanted.podId);
    used.cpus += wanted.spec.cpus;
    used.memoryBytes += wanted.spec.memoryBytes;
    used.diskBytes += wanted.spec.diskBytes;
  }
  return { gpus, ports, used };
}

/** Ranges of addresses that these pods' networks hold. */
export function subnetsOf(records: readonly PodRecord[]): string[] {
  return records.flatMap(({ network, overAt }) => (overAt === undefined ? (network?.subnet ?? []) : []));
}
