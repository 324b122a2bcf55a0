/**
 * Matrices of 32-bit words that both sides make from a seed, element by element, alike on every processor: the verifier here,
 * the prover in OpenCL C (executor/challenges/opencl/kernels.ts). What is multiplied or added wraps around at 2^32.
 */
import { createHash } from "node:crypto";

export const GOLDEN = 0x9e3779b9;
export const MIX_1 = 0x7feb352d;
export const MIX_2 = 0x846ca68b;

/** Two words that a matrix is made from. */
export interface MatrixKey {
  readonly a: number;
  readonly b: number;
}

/** The words that a row is made from; no two rows of a matrix share either. */
export interface RowKey {
  readonly a: number;
  readonly b: number;
}

/** A well-known mixing of 32 bits ("lowbias32"): a bijection in which each bit of the input moves half of the output. */
export function mix(word: number): number {
  let x = word ^ (word >>> 16);
  x = Math.imul(x, MIX_1);
  x ^= x >>> 15;
  x = Math.imul(x, MIX_2);
  return (x ^ (x >>> 16)) >>> 0;
}

export function matrixKey(seed: Uint8Array, label: string): MatrixKey {
  const digest = createHash("sha256").update(seed).update(label).digest();
  return { a: digest.readUInt32LE(0), b: digest.readUInt32LE(4) };
}

export function rowKey(key: MatrixKey, row: number): RowKey {
  return { a: mix(row ^ key.a), b: mix(row ^ key.b) };
}

/** The mixing again, begun with the row's one word and joined by its other half-way. */
export function element(row: RowKey, column: number): number {
  let x = (Math.imul(column, GOLDEN) + row.a) | 0;
  x ^= x >>> 16;
  x = Math.imul(x, MIX_1);
  x ^= (x >>> 15) ^ row.b;
  x = Math.imul(x, MIX_2);
  return (x ^ (x >>> 16)) >>> 0;
}
