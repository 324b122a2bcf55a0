/** Tasks fill what they are to fill, and what is drawn for them is drawn fairly. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { distinctBelow, nextSeed, questions, roundSeeds } from "../../../../protocol/challenge/seeds.ts";
import {
  ComputeTask,
  heldBytes,
  MemoryTask,
  multiplications,
  productFilling,
  shapeFilling,
} from "../../../../protocol/challenge/task.ts";
import { someDigest } from "../../../support/challenges/honest.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const bytes = fc.integer({ min: 1, max: 192 * 1024 }).map((mib) => mib * MIB);
const limits = { kind: "memory", walkers: 64, steps: 1 } as const;

describe("a shape", () => {
  it("of three matrices fills what it is given, never more, and is a task", () => {
    fc.assert(
      fc.property(bytes, (given) => {
        const task = ComputeTask.parse({ kind: "compute", ...shapeFilling(given), rounds: 1, openings: 16 });

        expect(heldBytes(task)).toBeLessThanOrEqual(given);
        expect(heldBytes(task)).toBeGreaterThan(given * (given < 64 * MIB ? 0.5 : 0.9));
      }),
    );
  });

  it("of one product fills what it is given, never more, and is a task", () => {
    fc.assert(
      fc.property(bytes, (given) => {
        const held = heldBytes(MemoryTask.parse({ ...limits, ...productFilling(given, 16_384) }));

        expect(held).toBeLessThanOrEqual(given);
        expect(held).toBeGreaterThan(given * (given < 64 * MIB ? 0.5 : 0.9));
      }),
    );
  });

  it("for 24 GiB asks for 51 million million multiplications", () => {
    const task = { kind: "compute", ...shapeFilling(24 * GIB)!, rounds: 1, openings: 64 } as const;

    expect(Math.round(multiplications(task) / 1e12)).toBe(51);
    expect(multiplications({ ...task, rounds: 3 })).toBe(3 * multiplications(task));
  });

  it("of nothing is none", () => {
    expect(shapeFilling(1000)).toBeUndefined();
    expect(productFilling(1000, 128)).toBeUndefined();
  });
});

describe("what is drawn", () => {
  it("is different numbers, as many as there can be", () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.integer({ min: 1, max: 300 }),
        fc.integer({ min: 1, max: 300 }),
        (text, count, below) => {
          const drawn = distinctBelow(Buffer.from(someDigest(text), "hex"), count, below);

          expect(new Set(drawn).size).toBe(Math.min(count, below));
          expect(drawn.every((number) => number < below)).toBe(true);
        },
      ),
    );
  });

  it("falls everywhere alike", () => {
    const counts = new Uint32Array(100);
    for (let draw = 0; draw < 1_000; draw += 1) {
      for (const number of distinctBelow(Buffer.from(someDigest(`${draw}`), "hex"), 10, 100)) counts[number]! += 1;
    }

    for (const count of counts) expect(Math.abs(count - 100)).toBeLessThan(45);
  });

  it("favours no number because 2^32 is no multiple of how many there are", () => {
    const below = 3 * 2 ** 30;
    const drawn = distinctBelow(Buffer.from(someDigest("fair"), "hex"), 3_000, below);
    const low = drawn.filter((number) => number < 2 ** 30).length;

    expect(Math.abs(low - 1_000)).toBeLessThan(150);
  });

  it("is another for every GPU, secret, commitment and round", () => {
    const [commit, secret] = [someDigest("commit"), someDigest("secret")];
    const asked = [
      questions({ commit, secret }, "GPU-1"),
      questions({ commit, secret }, "GPU-2"),
      questions({ commit, secret: commit }, "GPU-1"),
      questions({ commit: secret, secret }, "GPU-1"),
    ].flatMap((ask) => [0, 1].map((round) => [...ask.vectors(round, 1), ...ask.rows(round, 4, 2 ** 31)].join()));

    expect(new Set(asked).size).toBe(asked.length);
    expect(questions({ commit, secret }, "GPU-1").walks()).not.toEqual(questions({ commit, secret }, "GPU-2").walks());
  });

  it("for a round follows from the commitment to the round before", () => {
    const first = Buffer.from(someDigest("first"), "hex");
    const [a, b, c] = [someDigest("a"), someDigest("b"), someDigest("c")];

    expect(roundSeeds(first, [a, b, c])).toEqual([first, nextSeed(first, a), nextSeed(nextSeed(first, a), b)]);
    expect(roundSeeds(first, [b, a, c])[2]).not.toEqual(roundSeeds(first, [a, b, c])[2]);
  });
});
