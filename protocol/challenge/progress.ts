/**
 * One challenge as its validator sees it: each step once, in order, within its time by the validator's own clock. Pure; whoever
 * keeps the progress decides by it and stores what it returns.
 */
import type { GpuUuid } from "../ids.ts";
import { type Challenge, type Commit, digestOf, type Reveal } from "./messages.ts";

export interface Progress {
  readonly challenge: Challenge;
  /** Readings of one steady clock. */
  readonly createdAtMs: number;
  readonly committed?: { readonly commit: Commit; readonly tookMs: number };
  readonly revealed?: { readonly reveal: Reveal; readonly atMs: number };
  /** From the reveal to the answer of each GPU. */
  readonly answers: ReadonlyMap<GpuUuid, number>;
}

/** `repeated`: that step was taken before; `out-of-order`: one before it was not. */
export type Refusal = "repeated" | "out-of-order" | "too-late" | "not-asked";

export type Step =
  | { readonly ok: true; readonly progress: Progress }
  | { readonly ok: false; readonly refusal: Refusal };

export function beginProgress(challenge: Challenge, nowMs: number): Progress {
  return { challenge, createdAtMs: nowMs, answers: new Map() };
}

export function takeCommit(progress: Progress, commit: Commit, nowMs: number): Step {
  if (progress.committed !== undefined) return refused("repeated");
  const tookMs = nowMs - progress.createdAtMs;
  if (tookMs > progress.challenge.commitWithinMs) return refused("too-late");
  return { ok: true, progress: { ...progress, committed: { commit, tookMs } } };
}

/** The secret is 32 random bytes in hex, made for this challenge alone and told to nobody before this. */
export function takeReveal(progress: Progress, secret: string, nowMs: number): Step {
  if (progress.committed === undefined) return refused("out-of-order");
  if (progress.revealed !== undefined) return refused("repeated");
  const reveal = { commit: digestOf(progress.committed.commit.body), secret };
  return { ok: true, progress: { ...progress, revealed: { reveal, atMs: nowMs } } };
}

export function takeAnswer(progress: Progress, gpu: GpuUuid, nowMs: number): Step {
  if (progress.revealed === undefined) return refused("out-of-order");
  if (!progress.challenge.gpus.includes(gpu)) return refused("not-asked");
  if (progress.answers.has(gpu)) return refused("repeated");
  const tookMs = nowMs - progress.revealed.atMs;
  if (tookMs > progress.challenge.answerWithinMs) return refused("too-late");
  return { ok: true, progress: { ...progress, answers: new Map([...progress.answers, [gpu, tookMs]]) } };
}

function refused(refusal: Refusal): Step {
  return { ok: false, refusal };
}
