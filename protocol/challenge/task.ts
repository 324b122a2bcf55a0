/**
 * What a GPU can be asked to prove: `compute`, that it multiplies matrices at its speed, and `memory`, that it holds so much of
 * what is costly to make. docs/challenges.md says what each shows, what it does not, and why.
 */
import { z } from "zod";

import { WORD_BYTES } from "./bytes.ts";

/** Every side of every matrix is a multiple of this, so that the prover needs no edge cases. */
export const TILE = 128;
const MAX_ROWS = 2 ** 26;
const MAX_SIDE = 2 ** 16;
/** So that an answer is no longer than 8 MiB in base64. */
const MAX_OPENED_BYTES = 5 * 2 ** 20;

const Side = z.int().min(TILE).max(MAX_SIDE).multipleOf(TILE);

/** A has `rows` rows and `inner` columns, B `inner` rows and `columns` columns; C = A B. */
const shape = { rows: z.int().min(TILE).max(MAX_ROWS).multipleOf(TILE), inner: Side, columns: Side } as const;

export const ComputeTask = z
  .strictObject({
    kind: z.literal("compute"),
    ...shape,
    /** Products in turn, each of matrices that are known only when the one before is committed to. */
    rounds: z.int().min(1).max(16),
    /** Rows of each product that are to be shown. */
    openings: z.int().min(1).max(TILE),
  })
  .refine((task) => openedBytes(task) <= MAX_OPENED_BYTES, "the answer would be too long");
export type ComputeTask = z.infer<typeof ComputeTask>;

export const MemoryTask = z.strictObject({
  kind: z.literal("memory"),
  ...shape,
  /** Walks at the same time, and reads of each. */
  walkers: z
    .int()
    .min(64)
    .max(2 ** 20)
    .multipleOf(64),
  steps: z
    .int()
    .min(1)
    .max(2 ** 16),
});
export type MemoryTask = z.infer<typeof MemoryTask>;

export const GpuTask = z.discriminatedUnion("kind", [ComputeTask, MemoryTask]);
export type GpuTask = z.infer<typeof GpuTask>;

export interface Shape {
  readonly rows: number;
  readonly inner: number;
  readonly columns: number;
}

/** Multiplications of two words, each with an addition, over all rounds. */
export function multiplications(task: GpuTask): number {
  return task.rows * task.inner * task.columns * (task.kind === "compute" ? task.rounds : 1);
}

/** What the matrices that must be held take: all three for `compute`, the product alone for `memory`. */
export function heldBytes(task: GpuTask): number {
  const { rows, inner, columns } = task;
  return WORD_BYTES * (rows * columns + (task.kind === "compute" ? inner * (rows + columns) : 0));
}

/** Of the rows that are shown, over all rounds. */
function openedBytes(task: { readonly columns: number; readonly rounds: number; readonly openings: number }): number {
  return WORD_BYTES * task.rounds * task.openings * task.columns;
}

const LARGEST_SIDE = 16_384;

/**
 * A shape whose three matrices fill `bytes` as nearly as may be, never more. Above 3 GiB only the rows grow, and with them work,
 * verification and memory alike. Undefined when `bytes` hold no matrices of one tile.
 */
export function shapeFilling(bytes: number): Shape | undefined {
  const words = bytes / WORD_BYTES;
  const side = Math.min(LARGEST_SIDE, tiled(Math.sqrt(words / 3)));
  if (side < TILE) return undefined;
  return { rows: tiled((words - side * side) / (2 * side)), inner: side, columns: side };
}

/** A shape whose product alone fills `bytes`. */
export function productFilling(bytes: number, inner: number): Shape | undefined {
  const words = bytes / WORD_BYTES;
  const columns = Math.min(LARGEST_SIDE, tiled(Math.sqrt(words)));
  return columns < TILE ? undefined : { rows: tiled(words / columns), inner, columns };
}

function tiled(count: number): number {
  return Math.floor(count / TILE) * TILE;
}
