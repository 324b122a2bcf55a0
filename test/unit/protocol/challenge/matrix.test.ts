/** Generated matrices: the same for ever, without structure that would make them cheap to multiply, and the fast loops agree. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { element, matrixKey, mix, rowKey } from "../../../../protocol/challenge/matrix.ts";
import { productReader, timesVectors } from "../../../../protocol/challenge/multiply.ts";
import { generated, multiplyExactly, timesVectorsPlainly } from "../../../support/challenges/honest.ts";

const word = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const key = fc.record({ a: word, b: word });

describe("a generated matrix", () => {
  it("is what it always was", () => {
    const made = matrixKey(Buffer.alloc(32, 7), "a");

    expect(made).toEqual({ a: 907613066, b: 3577496729 });
    expect([0, 1, 2 ** 31].map((row) => element(rowKey(made, row), 3))).toEqual([3595996802, 2669124234, 2634660082]);
  });

  it("has no two rows with the same words to begin with", () => {
    fc.assert(
      fc.property(key, word, word, (made, one, other) => {
        fc.pre(one !== other);
        const [first, second] = [rowKey(made, one), rowKey(made, other)];

        expect(first.a !== second.a && first.b !== second.b).toBe(true);
      }),
    );
  });

  it("is as hard to multiply as a random one: every bit's matrix has nearly full rank, and so have sums of bits", () => {
    const side = 256;
    const words = generated(matrixKey(Buffer.alloc(32, 1), "a"), side, side);

    for (const bits of [1, 2, 1 << 15, 1 << 16, 2 ** 31, 0b11, 0xffff, 0xffff_ffff]) {
      expect(rankOfParities(words, side, bits)).toBeGreaterThan(side - 8);
    }
  });

  it("mixes without losing a word: no two words of a large sample give the same", () => {
    const results = new Set(Array.from({ length: 100_000 }, (_, index) => mix(index * 40_503)));

    expect(results.size).toBe(100_000);
  });
});

describe("the fast loops", () => {
  it("multiply with vectors as plain arithmetic does", () => {
    fc.assert(
      fc.property(
        key,
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 1, max: 40 }),
        word,
        (made, rows, quarter, seed) => {
          const columns = 4 * quarter;
          const vectors = Uint32Array.from({ length: 4 * columns }, (_, index) => mix(seed ^ index));
          const fast = timesVectors({ key: made, rows: Array(rows).keys(), columns }, vectors);

          expect(fast).toEqual(
            timesVectorsPlainly(generated(made, rows, columns), { rows, inner: 0, columns }, vectors),
          );
        },
      ),
    );
  });

  it("read single words of a product as plain arithmetic makes them", () => {
    fc.assert(
      fc.property(
        key,
        key,
        fc.integer({ min: 1, max: 20 }),
        fc.tuple(fc.nat(9), fc.nat(9)),
        (a, b, quarter, [row, column]) => {
          const shape = { rows: 10, inner: 4 * quarter, columns: 10 };
          const c = multiplyExactly(generated(a, 10, shape.inner), generated(b, shape.inner, 10), shape);

          expect(productReader({ a, b, inner: shape.inner })(row, column)).toBe(c[row * 10 + column]);
        },
      ),
    );
  });

  it("make the same words for rows and columns beyond 2^31", () => {
    fc.assert(
      fc.property(key, word, (made, row) => {
        const vectors = new Uint32Array(4 * 128);
        vectors[4 * 127] = 1;

        expect(timesVectors({ key: made, rows: [row], columns: 128 }, vectors)[0]).toBe(
          element(rowKey(made, row), 127),
        );
      }),
    );
  });
});

/** Of the matrix over two elements whose places are the parity of the chosen bits. */
function rankOfParities(words: Uint32Array, side: number, bits: number): number {
  const rows = Array.from({ length: side }, (_, row) =>
    Array.from({ length: side }, (_unused, column) => BigInt(parity((words[row * side + column] ?? 0) & bits))).reduce(
      (packed, bit) => (packed << 1n) | bit,
      0n,
    ),
  );
  let rank = 0;
  for (let bit = BigInt(side - 1); bit >= 0n; bit -= 1n) {
    const pivot = rows.findIndex((row, index) => index >= rank && ((row >> bit) & 1n) === 1n);
    if (pivot < 0) continue;
    [rows[rank], rows[pivot]] = [rows[pivot] ?? 0n, rows[rank] ?? 0n];
    for (let index = rank + 1; index < side; index += 1) {
      if ((((rows[index] ?? 0n) >> bit) & 1n) === 1n) rows[index] = (rows[index] ?? 0n) ^ (rows[rank] ?? 0n);
    }
    rank += 1;
  }
  return rank;
}

function parity(value: number): number {
  let x = value >>> 0;
  for (const shift of [16, 8, 4, 2, 1]) x ^= x >>> shift;
  return x & 1;
}
