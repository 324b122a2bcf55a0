/**
 * Challenges on the processor that plays a GPU (PoCL), each through to signed answers as a validator receives them.
 */
import { systemClock } from "../../../common/clock.ts";
import type { Failure } from "../../../executor/challenges/failure.ts";
import { ChallengeRun, type ProverOptions } from "../../../executor/challenges/prover.ts";
import { DoomedChildren } from "../../../executor/gpus/children/doomed.ts";
import { linuxGroups } from "../../../executor/gpus/children/groups.ts";
import type { WorkerParts } from "../../../executor/gpus/children/worker-process.ts";
import {
  type Answer,
  type Challenge,
  type Commit,
  digestOf,
  type Reveal,
} from "../../../protocol/challenge/messages.ts";
import { gpuSeed } from "../../../protocol/challenge/seeds.ts";
import { signAnswer, signCommit } from "./honest.ts";

export const never = new AbortController().signal;
export const soon = { timeoutMs: 60_000, signal: never };

export function workerParts(): WorkerParts {
  const clock = systemClock();
  return { clock, doomed: new DoomedChildren({ groups: linuxGroups(), clock }), random: () => 1 };
}

/** Every GPU of the challenge is the same processor, which each worker uses as if it were its own. */
export function runOnProcessor(challenge: Challenge, options: ProverOptions = {}): ChallengeRun {
  const devices = new Map(challenge.gpus.map((gpu) => [gpu, { index: 0, allowCpu: true }]));
  const { gpus, task } = challenge;
  const seedOf = (gpu: string): Buffer => gpuSeed(challenge, gpu);
  return new ChallengeRun({ gpus, task, seedOf, devices, ...options }, workerParts());
}

export async function commitOf(run: ChallengeRun, challenge: Challenge): Promise<Commit> {
  const gpus = [...succeeded(await run.commit(soon))].map(([uuid, { roots }]) => ({ uuid, roots }));
  return signCommit(challenge, { challenge: digestOf(challenge), gpus });
}

export async function answersOf(run: ChallengeRun, challenge: Challenge, reveal: Reveal): Promise<Answer[]> {
  const outcomes = succeeded(await run.answer(reveal, soon));
  return [...outcomes].map(([gpu, { result }]) => signAnswer(challenge, { reveal: digestOf(reveal), gpu, result }));
}

/** Throws the first failure. */
export function succeeded<K, T extends { readonly ok: true }>(outcomes: ReadonlyMap<K, T | Failure>): Map<K, T> {
  return new Map([...outcomes].map(([gpu, outcome]) => [gpu, successOf(outcome)]));
}

export function successOf<T extends { readonly ok: true }>(outcome: T | Failure | undefined): T {
  if (outcome?.ok === true) return outcome;
  throw new Error(outcome === undefined ? "no outcome" : `${outcome.code}: ${outcome.detail}`);
}
