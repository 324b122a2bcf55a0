/**
 * Checks the answer to `compute` without multiplying matrices: C r = A (B r) for four random vectors, and in each round the rows
 * that were asked for against both that product and the commitment. Runs for seconds; docs/challenges.md has the proof.
 */
import { decodeWords, DIGEST_BYTES, hexBytes } from "./bytes.ts";
import { isBelowRoot, productDigests, rowDigest, ROWS_PER_DIGEST } from "./merkle.ts";
import type { ComputeResult, OpenedRow } from "./messages.ts";
import { timesVectors, wordsTimesVectors } from "./multiply.ts";
import { type Factors, factors, type Questions, roundSeeds } from "./seeds.ts";
import type { ComputeTask } from "./task.ts";
import { RIGHT, type Verdict, wrong } from "./verdict.ts";
import { VECTORS } from "./wasm.ts";

export interface ComputeClaim {
  readonly task: ComputeTask;
  /** Of the GPU in this challenge. */
  readonly seed: Uint8Array;
  readonly roots: readonly string[];
  readonly questions: Questions;
  readonly result: ComputeResult;
}

interface Round {
  readonly index: number;
  readonly root: string;
  readonly factors: Factors;
  readonly vectors: Uint32Array;
  /** B r. */
  readonly inner: Uint32Array;
}

/** Blocks for the time of the work: some 2 s for matrices of 24 GiB. */
export function verifyCompute({ task, seed, roots, questions, result }: ComputeClaim): Verdict {
  const product = Buffer.from(result.product, "base64");
  const runs = Math.ceil(task.rows / ROWS_PER_DIGEST);
  if (roots.length !== task.rounds || result.opened.length !== task.rounds || product.length !== DIGEST_BYTES * runs) {
    return wrong("wrong-shape", "Not as many rounds or digests as were asked for.");
  }
  const seeds = roundSeeds(seed, roots);
  for (const [index, root] of roots.entries()) {
    const keys = factors(seeds[index] ?? seed);
    const vectors = questions.vectors(index, task.columns);
    const inner = timesVectors({ key: keys.b, rows: range(task.inner), columns: task.columns }, vectors);
    const round = { index, root, factors: keys, vectors, inner };
    const verdict = verifyOpened(task, round, questions, result.opened[index] ?? []);
    if (!verdict.ok) return verdict;
    if (index === task.rounds - 1) return verifyProduct(task, round, product);
  }
  return RIGHT;
}

function verifyOpened(task: ComputeTask, round: Round, questions: Questions, opened: readonly OpenedRow[]): Verdict {
  const rows = questions.rows(round.index, task.openings, task.rows);
  if (opened.length !== rows.length) return wrong("wrong-shape", `Round ${round.index} shows ${opened.length} rows.`);
  const expected = timesVectors({ key: round.factors.a, rows, columns: task.inner }, round.inner);
  for (const [index, row] of rows.entries()) {
    const { words = "", path = "" } = opened[index] ?? {};
    const shown = decodeWords(words, task.columns);
    const where = `Row ${row} of round ${round.index}`;
    if (shown === undefined) return wrong("wrong-shape", `${where} is not ${task.columns} words long.`);
    const claim = { root: hexBytes(round.root), rows: task.rows, row, leaf: rowDigest(shown) };
    if (!isBelowRoot({ ...claim, path: Buffer.from(path, "base64") })) {
      return wrong("wrong-root", `${where} is not what was committed to.`);
    }
    const product = wordsTimesVectors(shown, round.vectors);
    if (product.some((word, vector) => word !== expected[VECTORS * index + vector])) {
      return wrong("wrong-row", `${where} is not that row of the product.`);
    }
  }
  return RIGHT;
}

function verifyProduct(task: ComputeTask, round: Round, told: Buffer): Verdict {
  const product = timesVectors({ key: round.factors.a, rows: range(task.rows), columns: task.inner }, round.inner);
  const expected = productDigests(product);
  const wrongRuns = Array.from({ length: told.length / DIGEST_BYTES }, (_, run) => run).filter((run) => {
    const [from, to] = [run * DIGEST_BYTES, (run + 1) * DIGEST_BYTES];
    return !told.subarray(from, to).equals(expected.subarray(from, to));
  });
  const [first] = wrongRuns;
  if (first === undefined) return RIGHT;
  const from = first * ROWS_PER_DIGEST;
  return wrong("wrong-product", `${wrongRuns.length} runs of rows differ, the first from row ${from}.`);
}

function* range(count: number): Generator<number> {
  for (let index = 0; index < count; index += 1) yield index;
}
