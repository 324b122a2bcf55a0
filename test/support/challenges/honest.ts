/**
 * An honest prover in plain arithmetic, slow and obvious, with a place where each cheat can begin. Also the challenges, keys and
 * secrets that tests of it need.
 */
import { createHash } from "node:crypto";

import { generateEd25519, verifyEd25519 } from "../../../common/ed25519.ts";
import { devHotkey, verifySignature } from "../../../common/hotkey.ts";
import { encodeWords } from "../../../protocol/challenge/bytes.ts";
import { element, type MatrixKey, rowKey } from "../../../protocol/challenge/matrix.ts";
import { type MerkleTree, merkleTree, productDigests, rowDigest } from "../../../protocol/challenge/merkle.ts";
import {
  type AnswerBody,
  type Answer,
  Challenge,
  type Commit,
  type CommitBody,
  type ComputeResult,
  digestOf,
  type Reveal,
} from "../../../protocol/challenge/messages.ts";
import { wordsTimesVectors } from "../../../protocol/challenge/multiply.ts";
import { factors, nextSeed, type Questions } from "../../../protocol/challenge/seeds.ts";
import { type SignatureChecks, signStatement } from "../../../protocol/challenge/signing.ts";
import type { ComputeTask, GpuTask, Shape } from "../../../protocol/challenge/task.ts";

export const hostKey = generateEd25519();
export const agentKey = devHotkey("//Alice", "ed25519");

export const checks: SignatureChecks = {
  host: (bytes, signature, publicKey) => verifyEd25519(publicKey, bytes, signature),
  agent: (bytes, signature, hotkey) => verifySignature("ed25519", bytes, signature, hotkey),
};

export function someDigest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

export function challengeOf(task: GpuTask, { nonce = "n", gpus = ["GPU-1"] } = {}): Challenge {
  return Challenge.parse({
    version: 1,
    nonce: someDigest(nonce),
    validator: devHotkey("//Bob", "ed25519").ss58,
    agent: agentKey.ss58,
    hostKey: hostKey.publicKey,
    gpus,
    task,
    issuedAt: "2026-01-01T00:00:00.000Z",
    commitWithinMs: 60_000,
    answerWithinMs: 60_000,
  });
}

export function signCommit(challenge: Challenge, body: CommitBody): Commit {
  return { body, signatures: signaturesOf(challenge, { step: "commit", body }) };
}

export function signAnswer(challenge: Challenge, body: AnswerBody): Answer {
  return { body, signatures: signaturesOf(challenge, { step: "answer", body }) };
}

function signaturesOf(challenge: Challenge, statement: Parameters<typeof signStatement>[1]): Commit["signatures"] {
  return {
    host: signStatement(challenge, statement, (bytes) => hostKey.sign(bytes)),
    agent: signStatement(challenge, statement, (bytes) => agentKey.sign(bytes)),
  };
}

export function revealFor(commit: Commit, secret: string): Reveal {
  return { commit: digestOf(commit.body), secret: someDigest(secret) };
}

export function generated(key: MatrixKey, rows: number, columns: number): Uint32Array {
  const words = new Uint32Array(rows * columns);
  for (let row = 0; row < rows; row += 1) {
    const own = rowKey(key, row);
    for (let column = 0; column < columns; column += 1) words[row * columns + column] = element(own, column);
  }
  return words;
}

export type Multiply = (a: Uint32Array, b: Uint32Array, shape: Shape) => Uint32Array;

export function multiplyExactly(a: Uint32Array, b: Uint32Array, { rows, inner, columns }: Shape): Uint32Array {
  const c = new Uint32Array(rows * columns);
  for (let row = 0; row < rows; row += 1) {
    const sums = c.subarray(row * columns, (row + 1) * columns);
    for (let place = 0; place < inner; place += 1) {
      const left = a[row * inner + place] ?? 0;
      const right = b.subarray(place * columns, (place + 1) * columns);
      for (let column = 0; column < columns; column += 1) sums[column]! += Math.imul(left, right[column]!);
    }
  }
  return c;
}

/** With sums and products that are rounded as they come. */
export function inFloats(rounded: (value: number) => number): Multiply {
  return (a, b, { rows, inner, columns }) =>
    Uint32Array.from({ length: rows * columns }, (_, place) => {
      const [row, column] = [Math.floor(place / columns), place % columns];
      let sum = 0;
      for (let depth = 0; depth < inner; depth += 1) {
        sum = rounded(sum + rounded((a[row * inner + depth] ?? 0) * (b[depth * columns + column] ?? 0)));
      }
      return sum % 2 ** 32;
    });
}

export interface Held {
  readonly seed: Uint8Array;
  readonly c: Uint32Array;
  readonly tree: MerkleTree;
}

export interface Cheat {
  readonly multiply?: Multiply;
  /** Changes a product before it is committed to. */
  readonly spoil?: (c: Uint32Array, round: number) => void;
}

/** Everything that is done before the reveal. */
export function holdProducts(
  task: ComputeTask,
  firstSeed: Uint8Array,
  { multiply = multiplyExactly, spoil }: Cheat = {},
): Held[] {
  const rounds: Held[] = [];
  let seed = firstSeed;
  for (let round = 0; round < task.rounds; round += 1) {
    const { a, b } = factors(seed);
    const c = multiply(generated(a, task.rows, task.inner), generated(b, task.inner, task.columns), task);
    spoil?.(c, round);
    const tree = treeOver(c, task);
    rounds.push({ seed, c, tree });
    seed = nextSeed(seed, tree.root.toString("hex"));
  }
  return rounds;
}

export function treeOver(c: Uint32Array, { rows, columns }: Shape): MerkleTree {
  const digests = Array.from({ length: rows }, (_, row) => rowDigest(rowOf(c, row, columns)));
  return merkleTree(Buffer.concat(digests));
}

export function rootsOf(held: readonly Held[]): string[] {
  return held.map(({ tree }) => tree.root.toString("hex"));
}

export function rowOf(c: Uint32Array, row: number, columns: number): Uint32Array {
  return c.slice(row * columns, (row + 1) * columns);
}

/** What is held, told truthfully. */
export function answerFrom(held: readonly Held[], task: ComputeTask, questions: Questions): ComputeResult {
  const last = held.at(-1)!;
  return {
    kind: "compute",
    product: toldProduct(timesVectorsPlainly(last.c, task, questions.vectors(held.length - 1, task.columns))),
    opened: held.map(({ c, tree }, round) =>
      questions.rows(round, task.openings, task.rows).map((row) => ({
        words: encodeWords(rowOf(c, row, task.columns)),
        path: tree.path(row).toString("base64"),
      })),
    ),
  };
}

export function toldProduct(product: Uint32Array): string {
  return productDigests(product).toString("base64");
}

export function timesVectorsPlainly(c: Uint32Array, { rows, columns }: Shape, vectors: Uint32Array): Uint32Array {
  const product = new Uint32Array(4 * rows);
  for (let row = 0; row < rows; row += 1) {
    product.set(wordsTimesVectors(c.subarray(row * columns, (row + 1) * columns), vectors), 4 * row);
  }
  return product;
}
