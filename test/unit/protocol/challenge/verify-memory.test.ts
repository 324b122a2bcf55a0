/** The verifier of `memory`: a walk depends on every word that it read, and few walks are enough to find who left some out. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { encodeWords } from "../../../../protocol/challenge/bytes.ts";
import { rowKey } from "../../../../protocol/challenge/matrix.ts";
import { productReader } from "../../../../protocol/challenge/multiply.ts";
import { factors, gpuSeed, questions } from "../../../../protocol/challenge/seeds.ts";
import type { MemoryTask } from "../../../../protocol/challenge/task.ts";
import { verifyMemory, walk } from "../../../../protocol/challenge/verify-memory.ts";
import { challengeOf, generated, multiplyExactly, someDigest } from "../../../support/challenges/honest.ts";

const task: MemoryTask = { kind: "memory", rows: 256, inner: 128, columns: 128, walkers: 64, steps: 40 };
const challenge = challengeOf(task);
const seed = gpuSeed(challenge, "GPU-1");
const { a, b } = factors(seed);
const c = multiplyExactly(generated(a, task.rows, task.inner), generated(b, task.inner, task.columns), task);
const ask = questions({ commit: someDigest("commit"), secret: someDigest("secret") }, "GPU-1");
const ends = endsOver((row, column) => c[row * task.columns + column] ?? 0);

describe("the answer to memory", () => {
  it("verifies when the walks went over the product", () => {
    expect(verdictOn(ends, task.walkers)).toEqual({ ok: true });
  });

  it("is found when one word that was read is another, wherever the walk was", () => {
    fc.assert(
      fc.property(fc.nat(task.walkers - 1), fc.nat(task.steps - 1), fc.integer({ min: 1 }), (walker, step, change) => {
        let reads = 0;
        const key = rowKey(ask.walks(), walker);
        const end = walk(task, key, (row, column) => {
          const word = c[row * task.columns + column] ?? 0;
          return reads++ === step ? (word ^ change) >>> 0 : word;
        });

        expect(end).not.toBe(ends[walker]);
      }),
    );
  });

  it("of another GPU, or to another secret, is wrong in every walk", () => {
    const theirs = questions({ commit: someDigest("commit"), secret: someDigest("another") }, "GPU-1");
    const result = { kind: "memory", ends: encodeWords(ends) } as const;
    const claim = { task, questions: ask, result, sample: 1, random: Buffer.alloc(32) };

    expect(verifyMemory({ ...claim, seed: gpuSeed(challenge, "GPU-2") })).toMatchObject({ code: "wrong-walk" });
    expect(verifyMemory({ ...claim, seed, questions: theirs })).toMatchObject({ code: "wrong-walk" });
  });

  it("with a share of made-up walks is found with 1 - (1 - share)^sample", () => {
    const madeUp = ends.map((end, walker) => (walker < task.walkers / 4 ? end ^ 1 : end));
    const trials = 200;
    const found = Array.from({ length: trials }, (_, trial) => verdictOn(madeUp, 4, trial)).filter(({ ok }) => !ok);
    const expected = 1 - 0.75 ** 4;

    expect(Math.abs(found.length / trials - expected)).toBeLessThan(
      4 * Math.sqrt((expected * (1 - expected)) / trials) + 0.02,
    );
  });

  it("with fewer walks than were asked for is refused for its shape", () => {
    expect(verdictOn(ends.slice(1), 1)).toMatchObject({ ok: false, code: "wrong-shape" });
  });

  it("reads all over the memory: each eighth of the rows and of the columns gets its share of reads", () => {
    const rows = new Uint32Array(8);
    const columns = new Uint32Array(8);
    endsOver((row, column) => {
      rows[Math.floor((row * 8) / task.rows)]! += 1;
      columns[Math.floor((column * 8) / task.columns)]! += 1;
      return c[row * task.columns + column] ?? 0;
    });
    const fair = (task.walkers * task.steps) / 8;

    for (const count of [...rows, ...columns]) expect(Math.abs(count - fair)).toBeLessThan(fair / 4);
  });

  it("is followed over a product that is never made", () => {
    const read = productReader({ a, b, inner: task.inner });

    expect(walk(task, rowKey(ask.walks(), 9), read)).toBe(ends[9]);
  });
});

function endsOver(read: (row: number, column: number) => number): Uint32Array {
  const key = ask.walks();
  return Uint32Array.from({ length: task.walkers }, (_, walker) => walk(task, rowKey(key, walker), read));
}

function verdictOn(told: Uint32Array, sample: number, trial = 0) {
  const random = Buffer.from(someDigest(`sample ${trial}`), "hex");
  return verifyMemory({
    task,
    seed,
    questions: ask,
    result: { kind: "memory", ends: encodeWords(told) },
    sample,
    random,
  });
}
