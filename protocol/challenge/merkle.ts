/**
 * What stands for much data: a tree of SHA-256 over the digests of a matrix's rows, of which one root commits to all rows and a
 * path shows one; and digests of products with vectors.
 * The digest of a row is that of its bytes; leaves that are missing to a power of two are zero.
 */
import { createHash, hash } from "node:crypto";

import { DIGEST_BYTES, WORD_BYTES } from "./bytes.ts";
import { VECTORS } from "./wasm.ts";

/** Before two digests; makes the input of a node one byte longer than any number of whole words. */
const NODE = Uint8Array.of(1);
const NO_LEAF = Buffer.alloc(DIGEST_BYTES);

/** How many digests a path has in a tree over so many rows. */
export function pathLength(rows: number): number {
  return Math.ceil(Math.log2(rows));
}

export function rowDigest(words: Uint32Array): Buffer {
  return createHash("sha256")
    .update(new Uint8Array(words.buffer, words.byteOffset, words.length * WORD_BYTES))
    .digest();
}

/** How many rows' words of C r one digest tells. */
export const ROWS_PER_DIGEST = 1024;

/** SHA-256 of each run of rows of a product with four vectors, one behind the other. */
export function productDigests(product: Uint32Array): Buffer {
  const words = VECTORS * ROWS_PER_DIGEST;
  const runs = Array.from({ length: Math.ceil(product.length / words) }, (_, run) =>
    rowDigest(product.subarray(run * words, (run + 1) * words)),
  );
  return Buffer.concat(runs);
}

export interface MerkleTree {
  readonly root: Buffer;
  /** The neighbours of a row from the bottom to the top, one behind the other. */
  readonly path: (row: number) => Buffer;
}

/** `leaves`: 32 bytes for each row. */
export function merkleTree(leaves: Uint8Array): MerkleTree {
  const rows = leaves.length / DIGEST_BYTES;
  const bottom = Buffer.alloc(DIGEST_BYTES * 2 ** pathLength(rows));
  bottom.set(leaves);
  const levels = [bottom];
  for (let below = bottom; below.length > DIGEST_BYTES;) {
    const level = Buffer.alloc(below.length / 2);
    for (let at = 0; at < level.length; at += DIGEST_BYTES) {
      level.set(node(digestAt(below, 2 * at), digestAt(below, 2 * at + DIGEST_BYTES)), at);
    }
    levels.push(level);
    below = level;
  }
  return {
    root: levels.at(-1) ?? NO_LEAF,
    path: (row) =>
      Buffer.concat(levels.slice(0, -1).map((level, height) => digestAt(level, ((row >>> height) ^ 1) * DIGEST_BYTES))),
  };
}

/** Whether `leaf` is the digest of that row below `root`; false for a path of another length. */
export function isBelowRoot(claim: {
  readonly root: Uint8Array;
  readonly rows: number;
  readonly row: number;
  readonly leaf: Uint8Array;
  readonly path: Uint8Array;
}): boolean {
  const height = pathLength(claim.rows);
  if (claim.path.length !== height * DIGEST_BYTES || claim.row >= claim.rows) return false;
  let digest = claim.leaf;
  for (let level = 0; level < height; level += 1) {
    const neighbour = digestAt(claim.path, level * DIGEST_BYTES);
    digest = (claim.row >>> level) & 1 ? node(neighbour, digest) : node(digest, neighbour);
  }
  return Buffer.compare(digest, claim.root) === 0;
}

function node(left: Uint8Array, right: Uint8Array): Buffer {
  return hash("sha256", Buffer.concat([NODE, left, right]), "buffer");
}

function digestAt(bytes: Uint8Array, at: number): Uint8Array {
  return bytes.subarray(at, at + DIGEST_BYTES);
}
