/**
 * What a lane knows of its pod, in the meter's words. Pure.
 */
import type { PodPhase, PodStatus } from "../../protocol/pod.ts";
import { isNoted } from "../pods/exits.ts";
import type { PodRecord, Seen, SshHealth } from "../pods/state.ts";
import type { MeterState } from "./meter-state.ts";

export interface PodInSight {
  readonly record: PodRecord;
  /** Undefined while the engine does not answer. */
  readonly seen: Seen | undefined;
  readonly ssh: SshHealth | undefined;
  readonly status: Pick<PodStatus, "phase" | "unbilledSince">;
  readonly maintenance?: boolean;
}

/** The goal is another than to run, so a process that still does is no longer the renter's. */
const LEAVING: ReadonlySet<PodPhase> = new Set(["stopping", "stopped", "ending"]);

export function meterStateOf({ record, seen, ssh, status, maintenance }: PodInSight): MeterState {
  const { gpus, spec } = record.wanted;
  const container = seen?.container;
  const lease = Date.parse(spec.lease.expiresAt);
  const runningSinceMs = container?.state === "running" ? container.startedAtMs : undefined;
  const isExamined = container !== undefined && isNoted(record, container);
  const failedAt = status.unbilledSince === undefined ? ssh?.failedAtMs : Date.parse(status.unbilledSince);
  return {
    terms: { gpus, cpus: spec.cpus, memoryBytes: spec.memoryBytes, diskBytes: spec.diskBytes },
    phase: status.phase,
    runningSinceMs,
    endedAtMs: container?.finishedAtMs ?? (LEAVING.has(status.phase) ? lease : undefined),
    failedAtMs: status.phase === "exited" ? undefined : failedAt,
    fault: status.phase === "exited" && isExamined ? record.lastExit?.fault : undefined,
    maintenance,
    bridge: record.network?.bridge,
  };
}
