/** The search finds what trying every set finds, and beyond its bound something nearly as good. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import type { Scores } from "../../../../../agent/fleet/gpu-choice/scores.ts";
import { bestSet, type Found, isBetter } from "../../../../../agent/fleet/gpu-choice/search.ts";
import { choices } from "../../../../support/gpus/topologies.ts";

const squares = fc
  .integer({ min: 1, max: 9 })
  .chain((size) => fc.array(fc.integer({ min: 0, max: 4 }), { minLength: size * size, maxLength: size * size }))
  .map((numbers): Scores => {
    const size = Math.sqrt(numbers.length);
    const at = (a: number, b: number): number => (a === b ? 0 : (numbers[Math.min(a, b) * size + Math.max(a, b)] ?? 0));
    return Array.from({ length: size }, (_, a) => Array.from({ length: size }, (_x, b) => at(a, b)));
  });

function rated(scores: Scores, members: readonly number[]): Found {
  const rows = members.map((one) => scores[one] ?? []);
  const sum = (numbers: readonly number[]): number => numbers.reduce((all, number) => all + number, 0);
  return {
    members,
    inside: sum(rows.flatMap((row) => members.map((other) => row[other] ?? 0))) / 2,
    degree: sum(rows.flat()),
  };
}

function byBruteForce(scores: Scores, count: number): Found | undefined {
  const all = [...choices([...scores.keys()], count)].map((members) => rated(scores, members));
  return all.reduce<Found | undefined>(
    (best, next) => (best === undefined || isBetter(next, best) ? next : best),
    undefined,
  );
}

describe("the search for a set", () => {
  it("finds the first of the best, as trying every set does", () => {
    fc.assert(
      fc.property(squares, fc.integer({ min: 0, max: 9 }), (scores, count) => {
        expect(bestSet(scores, count)).toEqual(byBruteForce(scores, count));
      }),
    );
  });

  it("has no answer where there are too few", () => {
    expect(bestSet([[0]], 2)).toBeUndefined();
  });

  it("finds a set of the right size beyond its bound, that no exchange of two makes better", () => {
    fc.assert(
      fc.property(squares, fc.integer({ min: 1, max: 9 }), (scores, count) => {
        fc.pre(count <= scores.length);

        const found = bestSet(scores, count, 0);

        expect(found).toEqual(rated(scores, found?.members ?? []));
        expect(new Set(found?.members).size).toBe(count);
        for (const out of found?.members ?? []) {
          for (const other of scores.keys()) {
            if (found === undefined || found.members.includes(other)) continue;
            const swapped = rated(scores, [...found.members.filter((one) => one !== out), other]);
            expect(isBetter(swapped, found)).toBe(false);
          }
        }
      }),
    );
  });

  it("exchanges what it took first for what is better with the others", () => {
    const scores = [
      [0, 2, 1, 1, 4, 3, 0, 1, 2],
      [2, 0, 0, 3, 0, 4, 0, 3, 2],
      [1, 0, 0, 2, 0, 3, 1, 4, 4],
      [1, 3, 2, 0, 1, 3, 1, 0, 1],
      [4, 0, 0, 1, 0, 2, 1, 2, 4],
      [3, 4, 3, 3, 2, 0, 0, 1, 3],
      [0, 0, 1, 1, 1, 0, 0, 2, 1],
      [1, 3, 4, 0, 2, 1, 2, 0, 4],
      [2, 2, 4, 1, 4, 3, 1, 4, 0],
    ];

    expect(bestSet(scores, 6, 0)).toEqual(byBruteForce(scores, 6));
  });

  it("finds whole groups among 64 units, where all sets are too many to try", () => {
    const groups = Array.from({ length: 64 }, (_, unit) => Math.floor(unit / 8));
    const scores = groups.map((a, one) => groups.map((b, other) => (one === other ? 0 : a === b ? 100 : 10)));

    const found = bestSet(scores, 16);

    expect(new Set(found?.members.map((unit) => groups[unit]))).toEqual(new Set([0, 1]));
  });
});
