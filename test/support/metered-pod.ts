/**
 * A pod as it really is, beside what an executor sees of it; for metered-world.ts.
 */
import type { PodId } from "../../protocol/ids.ts";

/** What a pod is really like, whoever looks. */
export type Real = "running" | "sick" | "exited" | "stopped" | "ended";

export interface Pod {
  readonly id: PodId;
  real: Real;
  /** The executor's eyes: whether the second probe has confirmed the first. */
  confirmed: boolean;
  startedAtMs: number;
  finishedAtMs: number | undefined;
  fault: "renter" | "provider" | undefined;
  failedAtMs: number | undefined;
  billedMs: number;
  /** Since the first probe that failed, as long as it is the only one. */
  doubtfulMs: number;
  endedUnseen: boolean;
  countsWhenSeen: boolean;
  /** It ended while nobody looked and the clock jumped about: nobody can tell when. */
  muddled: boolean;
}

export function runningPod(id: PodId, startedAtMs: number): Pod {
  return {
    id,
    real: "running",
    confirmed: false,
    startedAtMs,
    finishedAtMs: undefined,
    fault: undefined,
    failedAtMs: undefined,
    billedMs: 0,
    doubtfulMs: 0,
    endedUnseen: false,
    countsWhenSeen: false,
    muddled: false,
  };
}
