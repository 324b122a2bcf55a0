/**
 * One challenge as the agent keeps it: how far it is, and what was said. Pure.
 */
import type { ChallengePhase, ChallengeView } from "../../protocol/challenge/exchange.ts";
import type { HostAnswer, HostChallenge } from "../../protocol/challenge/host-messages.ts";
import { type Answer, type Challenge, type Commit, digestOf } from "../../protocol/challenge/messages.ts";
import type { GpuUuid, HostId, PodId } from "../../protocol/ids.ts";
import type { Reason } from "../../protocol/pod.ts";

export interface Run {
  readonly id: string;
  /** Who asked, and may see it. */
  readonly validator: string;
  readonly hostId: HostId;
  readonly of:
    | { readonly what: "gpus"; readonly challenge: Challenge }
    | { readonly what: "host"; readonly challenge: HostChallenge };
  /** By the monotonic clock; nothing of it is waited for any longer. */
  readonly endsAtMs: number;
  /** Resolved, and another one put in its place, whenever something changes. */
  changed: PromiseWithResolvers<void>;
  readonly answers: Map<GpuUuid, Answer>;
  /** Until the host says that it has let go of everything, which may be later than the end. */
  held: boolean;
  /** Gives GPUs back to renters; to be called once. */
  release?: () => void;
  phase: ChallengePhase;
  commit?: Commit;
  answer?: HostAnswer;
  podId?: PodId;
  reason?: Reason;
}

export function newRun(run: Pick<Run, "of" | "validator" | "hostId" | "endsAtMs">): Run {
  const id = digestOf(run.of.challenge);
  return { ...run, id, changed: Promise.withResolvers(), answers: new Map(), held: true, phase: "working" };
}

/** The host does no more for it: others may come. */
export function letGo(run: Run): void {
  run.held = false;
  run.release?.();
  delete run.release;
}

/** Wakes who waits for a change. */
export function ring(run: Run): void {
  run.changed.resolve();
  run.changed = Promise.withResolvers();
}

const RANK: Readonly<Record<ChallengePhase, number>> = {
  working: 0,
  committed: 1,
  answering: 2,
  open: 3,
  answered: 4,
  failed: 5,
};

export function hasReached({ phase }: Run, wanted: ChallengePhase): boolean {
  return RANK[phase] >= RANK[wanted];
}

export function isLive({ phase }: Run): boolean {
  return phase !== "answered" && phase !== "failed";
}

/** Of what is kept of it, in characters of base64: all but the answers is small. */
export function keptSize({ answers }: Run): number {
  let size = 0;
  for (const { body } of answers.values()) {
    if (body.result.kind === "memory") size += body.result.ends.length;
    else for (const rows of body.result.opened) for (const { words, path } of rows) size += words.length + path.length;
  }
  return size;
}

export function viewOf({ id, phase, commit, answers, answer, podId, reason }: Run): ChallengeView {
  return {
    id,
    phase,
    ...(commit === undefined ? {} : { commit }),
    answered: [...answers.keys()],
    ...(answer === undefined ? {} : { answer }),
    ...(podId === undefined ? {} : { podId }),
    ...(reason === undefined ? {} : { reason }),
  };
}
