/**
 * Generated matrices times vectors and single places of their product, without ever holding a matrix: memory for four vectors
 * is all it takes. The work is done by the module of wasm.ts.
 */
import { type MatrixKey, type RowKey, rowKey } from "./matrix.ts";
import { OPERANDS_AT, RESULT_AT, VECTORS, verifierModule } from "./wasm.ts";

const PAGE_BYTES = 65_536;
const LANES = 4;
const WORD = 4;
const MODULE = verifierModule();

interface Loops {
  /** As the module sees its memory. */
  readonly words: Uint32Array;
  rowTimesVectors(rowA: number, rowB: number, columns: number, planeBytes: number): void;
  rowTimesColumn(rowA: number, rowB: number, column: number, length: number, planeBytes: number): void;
}

/** What is used of the global of that name, which our list of standard types leaves out. */
declare const WebAssembly: {
  readonly Memory: new (size: { initial: number }) => { readonly buffer: ArrayBuffer };
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: Omit<Loops, "words"> };
};

export interface GeneratedRows {
  readonly key: MatrixKey;
  readonly rows: Iterable<number>;
  /** A multiple of four. */
  readonly columns: number;
}

/**
 * The product of those rows with four vectors. Vectors and product lie together: the four words for the first place, then
 * those for the second.
 */
export function timesVectors({ key, rows, columns }: GeneratedRows, vectors: Uint32Array): Uint32Array {
  const planes = loops(VECTORS * columns);
  const operands = planes.words.subarray(OPERANDS_AT / WORD);
  for (let index = 0; index < VECTORS * columns; index += 1) {
    operands[(index % VECTORS) * columns + Math.floor(index / VECTORS)] = vectors[index] ?? 0;
  }
  const list = [...rows];
  const product = new Uint32Array(VECTORS * list.length);
  for (const [index, row] of list.entries()) {
    const { a, b } = rowKey(key, row);
    planes.rowTimesVectors(a, b, columns, columns * WORD);
    for (let vector = 0; vector < VECTORS; vector += 1) {
      product[VECTORS * index + vector] = sum(planes.words, RESULT_AT / WORD + LANES * vector);
    }
  }
  return product;
}

/** A word of A times B modulo 2^32, at the cost of one row of A and one column of B. */
export type ProductReader = (row: number, column: number) => number;

export function productReader(factors: { a: MatrixKey; b: MatrixKey; inner: number }): ProductReader {
  const { a, b, inner } = factors;
  const planes = loops(2 * inner);
  const operands = planes.words.subarray(OPERANDS_AT / WORD);
  for (let row = 0; row < inner; row += 1) {
    const key = rowKey(b, row);
    operands[row] = key.a;
    operands[inner + row] = key.b;
  }
  return (row, column) => {
    const key: RowKey = rowKey(a, row);
    planes.rowTimesColumn(key.a, key.b, column, inner, inner * WORD);
    return sum(planes.words, RESULT_AT / WORD) >>> 0;
  };
}

/** Four words' worth of product of plain words with four vectors, which lie together as above. */
export function wordsTimesVectors(words: Uint32Array, vectors: Uint32Array): Uint32Array {
  const product = new Uint32Array(VECTORS);
  for (let column = 0; column < words.length; column += 1) {
    for (let vector = 0; vector < VECTORS; vector += 1) {
      const term = Math.imul(words[column] ?? 0, vectors[VECTORS * column + vector] ?? 0);
      product[vector] = (product[vector] ?? 0) + term;
    }
  }
  return product;
}

function loops(words: number): Loops {
  const memory = new WebAssembly.Memory({ initial: Math.ceil((OPERANDS_AT + words * WORD) / PAGE_BYTES) });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(MODULE), { env: { memory } });
  const { rowTimesVectors, rowTimesColumn } = exports;
  return { words: new Uint32Array(memory.buffer), rowTimesVectors, rowTimesColumn };
}

function sum(words: Uint32Array, at: number): number {
  let total = 0;
  for (let lane = 0; lane < LANES; lane += 1) total = (total + (words[at + lane] ?? 0)) | 0;
  return total;
}
