/**
 * Everything that is drawn in a challenge. The matrices follow from the challenge and the GPU, and after the first round from
 * the commitment before; vectors, rows and walks follow from the secret, and so are unknown while anything is committed to.
 */
import { createCipheriv, createHash } from "node:crypto";

import { wordsOf } from "./bytes.ts";
import { type MatrixKey, matrixKey } from "./matrix.ts";
import { type Challenge, digestOf, type Reveal } from "./messages.ts";
import { VECTORS } from "./wasm.ts";

export interface Factors {
  readonly a: MatrixKey;
  readonly b: MatrixKey;
}

/** 32 bytes, of this GPU in this challenge alone. */
export function gpuSeed(challenge: Challenge, gpu: string): Buffer {
  return digest("gpu", digestOf(challenge), gpu);
}

/** The seed of the round after the one that `root` commits to. */
export function nextSeed(seed: Uint8Array, root: string): Buffer {
  return digest("round", Buffer.from(seed).toString("hex"), root);
}

/** Of the first round and of each after a root, as many as there are roots: `roots` are all rounds'. */
export function roundSeeds(first: Uint8Array, roots: readonly string[]): Uint8Array[] {
  const seeds = [first];
  for (const root of roots.slice(0, -1)) seeds.push(nextSeed(seeds.at(-1) ?? first, root));
  return seeds;
}

export function factors(seed: Uint8Array): Factors {
  return { a: matrixKey(seed, "a"), b: matrixKey(seed, "b") };
}

/** What the secret says to one GPU. */
export interface Questions {
  /** Four vectors for each round, four words together for each column. */
  vectors(round: number, columns: number): Uint32Array;
  /** Rows to be shown, no two the same. */
  rows(round: number, count: number, below: number): number[];
  /** The row of a walker: the word it begins with, and its own word that keeps it apart from others. */
  walks(): MatrixKey;
}

export function questions(reveal: Reveal, gpu: string): Questions {
  const key = (label: string): Buffer => digest(label, digestOf(reveal), gpu);
  return {
    vectors: (round, columns) => randomWords(key(`vectors ${round}`), VECTORS * columns),
    rows: (round, count, below) => distinctBelow(key(`rows ${round}`), count, below),
    walks: () => matrixKey(key("walks"), "walkers"),
  };
}

/** `count` different numbers below `below`, each as likely as any; `seed` is 32 random bytes. */
export function distinctBelow(seed: Uint8Array, count: number, below: number): number[] {
  const chosen = new Set<number>();
  const fair = Math.floor(2 ** 32 / below) * below;
  for (let attempt = 0; chosen.size < Math.min(count, below); attempt += 1) {
    for (const word of randomWords(digest(`draw ${attempt}`, Buffer.from(seed).toString("hex")), 2 * count)) {
      if (word < fair && chosen.size < count) chosen.add(word % below);
    }
  }
  return [...chosen];
}

/** AES-256 in counter mode, so that nobody can tell the words from random ones. */
function randomWords(key: Uint8Array, count: number): Uint32Array {
  return wordsOf(createCipheriv("aes-256-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(4 * count)));
}

function digest(label: string, ...parts: readonly string[]): Buffer {
  return createHash("sha256")
    .update(["lium-challenge/1", label, ...parts].join("\n"))
    .digest();
}
