/**
 * Checks the answer to `memory`: follows some of the walks, making each word that they read from one row of A and one column of
 * B, which costs the verifier little and a prover without the memory far too much.
 */
import { decodeWords } from "./bytes.ts";
import { GOLDEN, mix, type RowKey, rowKey } from "./matrix.ts";
import type { MemoryResult } from "./messages.ts";
import { type ProductReader, productReader } from "./multiply.ts";
import { distinctBelow, factors, type Questions } from "./seeds.ts";
import type { MemoryTask } from "./task.ts";
import { RIGHT, type Verdict, wrong } from "./verdict.ts";

export interface MemoryClaim {
  readonly task: MemoryTask;
  readonly seed: Uint8Array;
  readonly questions: Questions;
  readonly result: MemoryResult;
  /** How many walks to follow. */
  readonly sample: number;
  /** 32 random bytes that the host never sees: which walks. */
  readonly random: Uint8Array;
}

/** Blocks for the time of the work: a read of `inner` 16,384 takes some 15 µs. */
export function verifyMemory({ task, seed, questions, result, sample, random }: MemoryClaim): Verdict {
  const ends = decodeWords(result.ends, task.walkers);
  if (ends === undefined) return wrong("wrong-shape", `Not ${task.walkers} walks.`);
  const read = productReader({ ...factors(seed), inner: task.inner });
  const walks = questions.walks();
  const wrongWalk = distinctBelow(random, sample, task.walkers).find(
    (walker) => walk(task, rowKey(walks, walker), read) !== ends[walker],
  );
  return wrongWalk === undefined ? RIGHT : wrong("wrong-walk", `Walk ${wrongWalk} ends elsewhere.`);
}

/** Each read decides where the next one is; the prover's kernel is the same. */
export function walk({ rows, columns, steps }: MemoryTask, walker: RowKey, read: ProductReader): number {
  let state = walker.a;
  for (let step = 0; step < steps; step += 1) {
    const column = mix(state ^ walker.b) % columns;
    const word = read(state % rows, column);
    state = mix(((state ^ word) + walker.b + Math.imul(step, GOLDEN)) | 0);
  }
  return state;
}
