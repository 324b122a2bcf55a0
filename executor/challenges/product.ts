/**
 * C = A B on one device, in pieces that it can allocate and in launches that no watchdog ends. `compute` keeps A, B and C, so that
 * all three fill the share that was asked for; `memory` keeps C alone and makes A and B strip by strip.
 */
import { DIGEST_BYTES, wordsOf, WORD_BYTES } from "../../protocol/challenge/bytes.ts";
import type { MatrixKey } from "../../protocol/challenge/matrix.ts";
import type { Factors } from "../../protocol/challenge/seeds.ts";
import { type Shape, TILE } from "../../protocol/challenge/task.ts";
import { VECTORS } from "../../protocol/challenge/wasm.ts";
import { ProofError } from "./failure.ts";
import { GROUP_SIDE, MAX_SLABS } from "./opencl/kernels.ts";
import type { DeviceMemory, Session } from "./opencl/session.ts";

/** Multiplications of one launch: some 50 ms of a data-centre GPU. */
const LAUNCH_MULTIPLICATIONS = 2 ** 38;
/** Reads of one launch of walks. */
const LAUNCH_READS = 2 ** 28;
/** Columns of A that are made at a time where it is not kept. */
const STRIP = 512;

interface Span {
  readonly from: number;
  readonly count: number;
}

export interface ProductOptions {
  readonly shape: Shape;
  readonly keepFactors: boolean;
  /** At most what the device says. */
  readonly maxAllocationBytes: number;
}

export class Product {
  readonly #session: Session;
  readonly #shape: Shape;
  readonly #rowSpans: readonly Span[];
  readonly #depthSpans: readonly Span[];
  readonly #a: readonly (readonly DeviceMemory[])[];
  readonly #b: readonly DeviceMemory[];
  readonly #c: readonly DeviceMemory[];

  /** Throws `unsupported` for a device that allocates too little at a time, `out-of-memory` when it has too little in all. */
  constructor(session: Session, { shape, keepFactors, maxAllocationBytes }: ProductOptions) {
    this.#session = session;
    this.#shape = shape;
    const most = (width: number): number => Math.floor(maxAllocationBytes / WORD_BYTES / width / TILE) * TILE;
    const depth = Math.min(shape.inner, keepFactors ? most(shape.columns) : STRIP);
    const rows = most(Math.max(shape.columns, Math.min(depth, shape.inner)));
    if (rows === 0 || depth === 0) throw new ProofError("unsupported", "The device cannot allocate one strip of it.");
    this.#rowSpans = spans(shape.rows, rows);
    this.#depthSpans = spans(shape.inner, depth);
    if (this.#rowSpans.length > MAX_SLABS) {
      throw new ProofError("unsupported", `The product would lie in more than ${MAX_SLABS} pieces.`);
    }
    const allocate = (count: number, width: number): DeviceMemory => session.allocate(count * width * WORD_BYTES);
    this.#c = this.#rowSpans.map(({ count }) => allocate(count, shape.columns));
    if (keepFactors) {
      this.#b = this.#depthSpans.map(({ count }) => allocate(count, shape.columns));
      this.#a = this.#rowSpans.map(({ count }) => this.#depthSpans.map((strip) => allocate(count, strip.count)));
    } else {
      const b = allocate(depth, shape.columns);
      const a = allocate(Math.min(rows, shape.rows), depth);
      this.#b = this.#depthSpans.map(() => b);
      this.#a = this.#rowSpans.map(() => this.#depthSpans.map(() => a));
    }
  }

  async make(factors: Factors): Promise<void> {
    for (const [d, depth] of this.#depthSpans.entries()) {
      this.#fillB(factors.b, d);
      for (const [r, rows] of this.#rowSpans.entries()) {
        const a = at(at(this.#a, r), d);
        this.#fill(a, { key: factors.a, rows, columns: depth });
        this.#multiply({ a, b: at(this.#b, d), c: at(this.#c, r) }, { rows: rows.count, depth, add: d > 0 });
        await this.#session.settle();
      }
    }
  }

  /** 32 bytes for each row. */
  async digests(): Promise<Buffer> {
    return this.#perSlab(DIGEST_BYTES, (slab, rows, digests) =>
      this.#session.launch("digest_rows", { args: [slab, this.#shape.columns, digests], global: [rows] }),
    );
  }

  /** Four words for each row; the vectors lie in fours too. */
  async timesVectors(vectors: Uint32Array): Promise<Uint32Array> {
    const operand = this.#session.allocate(vectors.byteLength);
    await this.#session.write(operand, new Uint8Array(vectors.buffer, vectors.byteOffset, vectors.byteLength));
    const product = await this.#perSlab(VECTORS * WORD_BYTES, (slab, rows, result) =>
      this.#session.launch("times_vectors", { args: [slab, this.#shape.columns, operand, result], global: [rows] }),
    );
    this.#session.release(operand);
    return wordsOf(product);
  }

  /** As it lies in memory now. */
  async row(row: number): Promise<Uint32Array> {
    const index = this.#rowSpans.findLastIndex(({ from }) => from <= row);
    const bytes = this.#shape.columns * WORD_BYTES;
    return wordsOf(await this.#session.read(at(this.#c, index), (row - at(this.#rowSpans, index).from) * bytes, bytes));
  }

  /** At most a tile of rows, made anew; B is left as these factors make it. */
  async rowsMadeAnew(factors: Factors, rows: readonly number[]): Promise<Uint32Array[]> {
    const { columns } = this.#shape;
    const deepest = at(this.#depthSpans, 0).count;
    const [list, a, c] = [TILE, TILE * deepest, TILE * columns].map((words) =>
      this.#session.allocate(words * WORD_BYTES),
    );
    if (list === undefined || a === undefined || c === undefined) throw new Error("unreachable");
    const numbers = new Uint32Array(TILE);
    numbers.set(rows);
    await this.#session.write(list, new Uint8Array(numbers.buffer));
    for (const [d, depth] of this.#depthSpans.entries()) {
      this.#fillB(factors.b, d);
      const { a: keyA, b: keyB } = factors.a;
      const args = [a, depth.count, list, depth.from, keyA, keyB];
      this.#session.launch("fill_listed", { args, global: [depth.count, TILE] });
      this.#multiply({ a, b: at(this.#b, d), c }, { rows: TILE, depth, add: d > 0 });
      await this.#session.settle();
    }
    const words = wordsOf(await this.#session.read(c));
    for (const memory of [list, a, c]) this.#session.release(memory);
    return rows.map((_, index) => words.subarray(index * columns, (index + 1) * columns));
  }

  /** Where each walker's walk over C ends. */
  async walk({ walkers, steps, key }: { walkers: number; steps: number; key: MatrixKey }): Promise<Uint32Array> {
    const { rows, columns } = this.#shape;
    const states = this.#session.allocate(walkers * WORD_BYTES);
    const slabs = Array.from({ length: MAX_SLABS }, (_, index) => this.#c[index] ?? at(this.#c, 0));
    const place = [...slabs, at(this.#rowSpans, 0).count, rows, columns];
    for (const { from, count } of spans(steps, Math.ceil(LAUNCH_READS / walkers))) {
      const args = [...place, from, from + count, key.a, key.b, states];
      this.#session.launch("walk", { args, global: [walkers] });
      await this.#session.settle();
    }
    const words = wordsOf(await this.#session.read(states));
    this.#session.release(states);
    return words;
  }

  #fillB(key: MatrixKey, index: number): void {
    const rows = at(this.#depthSpans, index);
    this.#fill(at(this.#b, index), { key, rows, columns: { from: 0, count: this.#shape.columns } });
  }

  #fill(memory: DeviceMemory, { key, rows, columns }: { key: MatrixKey; rows: Span; columns: Span }): void {
    const args = [memory, columns.count, rows.from, columns.from, key.a, key.b];
    this.#session.launch("fill", { args, global: [columns.count, rows.count] });
  }

  #multiply(
    { a, b, c }: { a: DeviceMemory; b: DeviceMemory; c: DeviceMemory },
    { rows, depth, add }: { rows: number; depth: Span; add: boolean },
  ): void {
    const { columns } = this.#shape;
    const atATime = Math.max(1, Math.floor(LAUNCH_MULTIPLICATIONS / depth.count / columns / TILE)) * TILE;
    for (const { from, count } of spans(rows, atATime)) {
      const args = [a, b, c, columns, depth.count, from, add ? 1 : 0];
      const global = [(columns / TILE) * GROUP_SIDE, (count / TILE) * GROUP_SIDE];
      this.#session.launch("multiply", { args, global, local: [GROUP_SIDE, GROUP_SIDE] });
    }
  }

  async #perSlab(
    bytesPerRow: number,
    launch: (slab: DeviceMemory, rows: number, result: DeviceMemory) => void,
  ): Promise<Buffer> {
    const parts: Buffer[] = [];
    for (const [index, { count }] of this.#rowSpans.entries()) {
      const result = this.#session.allocate(count * bytesPerRow);
      launch(at(this.#c, index), count, result);
      await this.#session.settle();
      parts.push(await this.#session.read(result));
      this.#session.release(result);
    }
    return Buffer.concat(parts);
  }
}

function spans(total: number, most: number): Span[] {
  const count = Math.ceil(total / most);
  return Array.from({ length: count }, (_, index) => ({
    from: index * most,
    count: Math.min(most, total - index * most),
  }));
}

function at<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined) throw new ProofError("device-failed", `There is no piece ${index}.`);
  return item;
}
