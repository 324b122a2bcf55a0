/**
 * What this machine is, measured once at start through systeminformation, which blocks the loop while it looks:
 * so never for a request. The one importer of that package, and of it only cpu, mem, osInfo and fsSize.
 */
import { setTimeout as sleep } from "node:timers/promises";

import si from "systeminformation";

import type { HostFacts, HostResources } from "../../protocol/host.ts";

export interface MachineFacts {
  readonly facts: Pick<HostFacts, "hostname" | "os" | "kernel" | "arch" | "cpuModel" | "total">;
  /** Of the total, what the file system of pods could still take in when it was looked at. */
  readonly freeDiskBytes: number;
}

/** A mount that hangs, such as a dead network share, stops the listing of disks for ever. */
const LOOK_MS = 8_000;

/**
 * `diskPath` is where the engine keeps containers: the file system that pods fill. Its size is 0, and nothing can be rented
 * out, where the disks do not answer in time.
 */
export async function readMachineFacts(diskPath: string): Promise<MachineFacts> {
  const disksOrNone = Promise.race([si.fsSize(), sleep(LOOK_MS, [], { ref: false })]);
  const [cpu, mem, os, disks] = await Promise.all([si.cpu(), si.mem(), si.osInfo(), disksOrNone]);
  const disk = disks
    .filter(({ mount }) => diskPath === mount || diskPath.startsWith(mount.endsWith("/") ? mount : `${mount}/`))
    .toSorted((a, b) => b.mount.length - a.mount.length)[0];
  const facts = {
    hostname: os.hostname,
    os: `${os.distro} ${os.release}`.trim(),
    kernel: os.kernel,
    arch: os.arch,
    cpuModel: `${cpu.manufacturer} ${cpu.brand}`.trim(),
    total: { cpus: cpu.cores, memoryBytes: mem.total, diskBytes: disk?.size ?? 0 },
  };
  return { facts, freeDiskBytes: disk?.available ?? 0 };
}

/**
 * The machine less what the operator keeps for itself; never below zero. Of the disk only what is free counts: what others
 * fill cannot be rented out, and what pods fill is booked besides, which errs on the safe side.
 */
export function rentableOf({ facts: { total }, freeDiskBytes }: MachineFacts, reserve: HostResources): HostResources {
  return {
    cpus: Math.max(0, total.cpus - reserve.cpus),
    memoryBytes: Math.max(0, total.memoryBytes - reserve.memoryBytes),
    diskBytes: Math.max(0, freeDiskBytes - reserve.diskBytes),
  };
}
