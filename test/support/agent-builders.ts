/**
 * Records and words of the agent for tests, each with what the test cares about laid over it.
 */
import { HostRecord, PodRecord } from "../../agent/store/records.ts";
import type { Gpu } from "../../protocol/gpu.ts";
import type { HostFacts } from "../../protocol/host.ts";
import { GpuUuid, HostId } from "../../protocol/ids.ts";
import type { PodEvent, PodPhase, PodStatus } from "../../protocol/pod.ts";
import { podId, T0, wantedPod } from "./builders.ts";

export const GIB = 2 ** 30;
export const OTHER_OWNER = "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty";

/** The n-th host id. */
export function hostId(n: number): HostId {
  return HostId.parse(`host-${n.toString(16).padStart(16, "0")}`);
}

export function gpu(n: number, over: Partial<Gpu> = {}): Gpu {
  return {
    uuid: GpuUuid.parse(`GPU-${n}`.padEnd(8, "x")),
    vendor: "nvidia",
    model: "NVIDIA H100 80GB HBM3",
    memoryBytes: 80 * GIB,
    simulated: false,
    ...over,
  };
}

export function hostFacts(over: Partial<HostFacts> = {}): HostFacts {
  const total = { cpus: 16, memoryBytes: 64 * GIB, diskBytes: 500 * GIB };
  return {
    hostname: "gpu-host",
    os: "Debian 12",
    kernel: "6.1",
    arch: "x64",
    cpuModel: "a processor",
    engineVersion: "26.1.5",
    executorVersion: "0.1.0",
    publicAddress: "203.0.113.7",
    sealingKey: Buffer.alloc(32, 7).toString("base64"),
    total,
    rentable: total,
    gpus: [gpu(1), gpu(2)],
    shared: true,
    problems: [],
    ...over,
  };
}

export function hostRecord(over: Partial<HostRecord> = {}): HostRecord {
  return HostRecord.parse({
    hostId: hostId(1),
    name: "gpu-host",
    publicKey: Buffer.alloc(32, 1).toString("base64"),
    enrolledAt: new Date(T0).toISOString(),
    facts: hostFacts(),
    eventCursor: 0,
    ...over,
  });
}

export function podRecord(over: Partial<PodRecord> = {}): PodRecord {
  return PodRecord.parse({
    wanted: wantedPod(),
    hostId: hostId(1),
    createdAt: new Date(T0).toISOString(),
    claimed: true,
    acceptedMs: 3,
    ...over,
  });
}

export function podStatus(phase: PodPhase, over: Partial<PodStatus> = {}): PodStatus {
  return {
    podId: podId(1),
    revision: 1,
    phase,
    since: new Date(T0).toISOString(),
    gpus: [],
    ports: [],
    timelineMs: {},
    ...over,
  };
}

export function podEvent(cursor: number, over: Partial<PodEvent> = {}): PodEvent {
  return {
    cursor,
    podId: podId(1),
    at: new Date(T0).toISOString(),
    code: "running",
    message: `The event ${cursor}.`,
    fault: "none",
    ...over,
  };
}
