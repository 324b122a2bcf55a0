/**
 * What a pod's state means for the meter: whether time counts, since when, or that this is not known yet. Pure.
 */
import type { GpuUuid } from "../../protocol/ids.ts";
import type { PodPhase } from "../../protocol/pod.ts";
import type { UsageKind, UsageReason } from "../../protocol/usage.ts";

/** What the pod holds. */
export interface Terms {
  readonly gpus: readonly GpuUuid[];
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
}

/** What a lane knows of its pod. Instants are wall clock, in milliseconds since the epoch. */
export interface MeterState {
  readonly terms: Terms;
  readonly phase: PodPhase;
  /** The start of the main process that runs now; undefined when none runs, or none is seen. */
  readonly runningSinceMs?: number | undefined;
  /** When the main process ended, or the lease of one that still runs. */
  readonly endedAtMs?: number | undefined;
  /** The first of the probes that have been failing since; set from that probe on, whatever the phase. */
  readonly failedAtMs?: number | undefined;
  /** Whose doing the last exit was; undefined until it was looked into. */
  readonly fault?: "renter" | "provider" | undefined;
  readonly maintenance?: boolean | undefined;
  /** The pod's own network interface on the host. */
  readonly bridge?: string | undefined;
}

export interface Mode {
  readonly kind: UsageKind;
  readonly reason: UsageReason;
}

/**
 * `over`: nothing of the pod is left. `doubt`: what comes next decides what this time was. `fromMs`: time that was taken to
 * count does not since then; nothing begins to count before it was seen to.
 */
export type Standing =
  | { readonly is: "over" }
  | { readonly is: "doubt" }
  | { readonly is: "unseen"; readonly mode: Mode }
  | { readonly is: "known"; readonly mode: Mode; readonly fromMs?: number | undefined };

export function standingOf(state: MeterState): Standing {
  const standing = withoutMaintenance(state);
  if (state.maintenance !== true || standing.is !== "known" || standing.mode.kind === "unbilled") return standing;
  return known("unbilled", "maintenance");
}

function withoutMaintenance(state: MeterState): Standing {
  const { phase, failedAtMs, endedAtMs, fault } = state;
  switch (phase) {
    case "running":
      // One failed probe may be a lost packet: the next one says what it was.
      return failedAtMs === undefined ? known("billed", "running") : { is: "doubt" };
    case "degraded":
      return known("unbilled", "degraded", failedAtMs);
    case "exited":
      if (fault === undefined) return { is: "doubt" };
      return fault === "renter" ? known("billed", "exited") : known("unbilled", "our-fault", endedAtMs);
    case "pending":
    case "pulling":
    case "creating":
    case "starting":
      return known("unbilled", "starting");
    case "stopping":
    case "stopped":
      return known("unbilled", "stopped");
    case "ending":
      return known("unbilled", "ending");
    case "unknown":
      return { is: "unseen", mode: { kind: "unbilled", reason: "engine-unknown" } };
    case "ended":
    case "failed":
      return { is: "over" };
  }
}

function known(kind: UsageKind, reason: UsageReason, fromMs?: number): Standing {
  return { is: "known", mode: { kind, reason }, fromMs };
}

/** What must be the same before and after a time nobody looked, for the pod to have gone on as it was. */
export function markOf({ phase, runningSinceMs, endedAtMs }: MeterState): string | undefined {
  if (runningSinceMs !== undefined) return `run ${runningSinceMs}`;
  return phase === "exited" && endedAtMs !== undefined ? `exit ${endedAtMs}` : undefined;
}
