/**
 * Challenges GPUs of a host, and finds out whether what they answer holds and how long they took by this side's clock.
 */
import { randomBytes } from "node:crypto";

import type { ChallengeView } from "../../protocol/challenge/exchange.ts";
import { type Challenge, type Commit, digestOf } from "../../protocol/challenge/messages.ts";
import {
  beginProgress,
  type Progress,
  type Step,
  takeAnswer,
  takeCommit,
  takeReveal,
} from "../../protocol/challenge/progress.ts";
import { type GpuTask, heldBytes, multiplications } from "../../protocol/challenge/task.ts";
import type { Verdict } from "../../protocol/challenge/verdict.ts";
import { verifyAnswer, verifyCommit } from "../../protocol/challenge/verify.ts";
import { AppError } from "../../protocol/errors.ts";
import type { GpuUuid } from "../../protocol/ids.ts";
import { begin, envelope, type Examiner, letGo, SIGNATURE_CHECKS, untilPhase } from "./examiner.ts";

export interface GpuQuestion {
  readonly hostKey: string;
  readonly gpus: readonly GpuUuid[];
  readonly task: GpuTask;
  readonly commitWithinMs: number;
  readonly answerWithinMs: number;
}

export interface GpuFinding {
  readonly kind: GpuTask["kind"];
  readonly ok: boolean;
  readonly gpus: readonly {
    readonly uuid: GpuUuid;
    readonly ok: boolean;
    readonly code?: string;
    readonly message?: string;
  }[];
  /** By this side's clock, the network's time included. */
  readonly commitMs: number;
  /** From the reveal to the last answer. */
  readonly answerMs: number;
  readonly verifyMs: number;
  /** Of what each GPU held. */
  readonly heldBytes: number;
  /** `compute`: 32-bit multiplications, each with an addition, of each GPU. */
  readonly multiplicationsPerSecond?: number;
}

/** Walks of the host's that are followed; a host that made up a sixteenth of them is found out in 87 of 100 cases. */
const SAMPLE = 32;

/** Throws what the agent refuses, and `challenge-failed` where the host could not prove it. */
export async function challengeGpus(
  question: GpuQuestion,
  examiner: Examiner,
  signal: AbortSignal,
): Promise<GpuFinding> {
  const { clock, client } = examiner;
  const { hostKey, gpus, task, commitWithinMs, answerWithinMs } = question;
  const challenge: Challenge = {
    ...(await envelope(examiner, hostKey)),
    gpus: [...gpus],
    task,
    commitWithinMs,
    answerWithinMs,
  };
  let begun = beginProgress(challenge, clock.monotonic());
  const create = (): Promise<ChallengeView> => {
    begun = beginProgress(challenge, clock.monotonic());
    return client.createChallenge({ body: challenge }, signal);
  };
  const view = await begin(create, examiner, signal);
  try {
    const { commit } = await untilPhase(examiner, { view, phase: "committed", withinMs: commitWithinMs }, signal);
    if (commit === undefined) throw new AppError("challenge-failed", { message: "There is no commitment." });
    const committed = taken(takeCommit(begun, commit, clock.monotonic()));
    insist(verifyCommit(challenge, commit, SIGNATURE_CHECKS));
    const progress = taken(takeReveal(committed, randomBytes(32).toString("hex"), clock.monotonic()));
    return await answersOf(progress, commit, examiner, signal);
  } finally {
    await letGo(examiner, view);
  }
}

async function answersOf(
  begun: Progress,
  commit: Commit,
  examiner: Examiner,
  signal: AbortSignal,
): Promise<GpuFinding> {
  const { client, clock } = examiner;
  const { challenge, revealed, committed } = begun;
  if (revealed === undefined || committed === undefined) throw new AppError("internal");
  const { reveal } = revealed;
  const view = await client.revealChallenge({ params: { id: digestOf(challenge) }, body: reveal }, signal);
  await untilPhase(examiner, { view, phase: "answered", withinMs: challenge.answerWithinMs }, signal);
  const answeredAtMs = clock.monotonic();
  let progress = begun;
  let verifyMs = 0;
  const findings: GpuFinding["gpus"][number][] = [];
  for (const gpu of challenge.gpus) {
    const answer = await client.getAnswer({ params: { id: view.id, gpu } }, signal);
    progress = taken(takeAnswer(progress, gpu, answeredAtMs));
    const before = clock.monotonic();
    const random = randomBytes(32);
    const verdict = verifyAnswer({
      challenge,
      commit,
      reveal,
      answer,
      checks: SIGNATURE_CHECKS,
      sample: SAMPLE,
      random,
    });
    verifyMs += clock.monotonic() - before;
    findings.push({
      uuid: gpu,
      ...(verdict.ok ? { ok: true } : { ok: false, code: verdict.code, message: verdict.detail }),
    });
  }
  const { task } = challenge;
  const seconds = committed.tookMs / 1000;
  return {
    kind: task.kind,
    ok: findings.every(({ ok }) => ok),
    gpus: findings,
    commitMs: Math.round(committed.tookMs),
    answerMs: Math.round(answeredAtMs - revealed.atMs),
    verifyMs: Math.round(verifyMs),
    heldBytes: heldBytes(task),
    ...(task.kind === "compute" ? { multiplicationsPerSecond: Math.round(multiplications(task) / seconds) } : {}),
  };
}

function taken(step: Step): Progress {
  if (step.ok) return step.progress;
  throw new AppError("challenge-failed", { message: `The step is ${step.refusal}.` });
}

function insist(verdict: Verdict): void {
  if (!verdict.ok) throw new AppError("challenge-failed", { message: `${verdict.code}: ${verdict.detail}` });
}
