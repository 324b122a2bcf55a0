/**
 * The verifier of `compute` takes what is right and finds what is wrong, as often as docs/challenges.md says. The provers here are
 * honest arithmetic with one cheat each; a liar is one who also makes up C r, so that only what it shows can give it away.
 */
import { beforeAll, describe, expect, it } from "vitest";

import type { Challenge, ComputeResult } from "../../../../protocol/challenge/messages.ts";
import { factors, gpuSeed, type Questions, questions } from "../../../../protocol/challenge/seeds.ts";
import type { ComputeTask } from "../../../../protocol/challenge/task.ts";
import type { Verdict } from "../../../../protocol/challenge/verdict.ts";
import { verifyCompute } from "../../../../protocol/challenge/verify-compute.ts";
import {
  answerFrom,
  challengeOf,
  generated,
  type Held,
  holdProducts,
  inFloats,
  multiplyExactly,
  rootsOf,
  someDigest,
  timesVectorsPlainly,
  toldProduct,
  treeOver,
} from "../../../support/challenges/honest.ts";

const SIDE = 128;
const task: ComputeTask = { kind: "compute", rows: SIDE, inner: SIDE, columns: SIDE, rounds: 1, openings: 32 };
const challenge = challengeOf(task);
const seed = gpuSeed(challenge, "GPU-1");
const trials = 200;
/** Of what is found every time. */
const fewTrials = 40;

let right: Held[];
beforeAll(() => {
  right = holdProducts(task, seed);
});

describe("an honest answer", () => {
  it("verifies for one round and for several, whatever is asked", () => {
    const three = { ...task, rounds: 3 };
    const held = holdProducts(three, seed);

    for (const secret of ["a", "b", "c"]) {
      expect(verdictOn(right, { secret })).toEqual({ ok: true });
      expect(verdictOn(held, { secret, task: three })).toEqual({ ok: true });
    }
  });

  it("verifies where rows, depth and columns differ", () => {
    const uneven = { ...task, rows: 384, inner: 256, columns: 128 };

    expect(verdictOn(holdProducts(uneven, seed), { secret: "a", task: uneven })).toEqual({ ok: true });
  });
});

describe("one wrong row", () => {
  const spoiled = () => spoil((c) => c.fill(1, 5 * SIDE, 6 * SIDE));

  it("in a matrix that is told of truthfully is found every time", () => {
    const held = spoiled();

    expect(shareFound((secret) => verdictOn(held, { secret }), fewTrials)).toBe(1);
  });

  it("of a liar is found as often as it is asked for: openings / rows", () => {
    const held = spoiled();

    expectShare(
      shareFound((secret) => verdictOn(held, { secret, lie: true })),
      task.openings / task.rows,
    );
  });

  it("that is shown and differs by 2^31 in one place passes one time in sixteen: the worst that modulo 2^32 allows", () => {
    const all = { ...task, openings: task.rows };
    const held = spoil((c) => (c[700]! ^= 2 ** 31));

    expectShare(
      shareFound((secret) => verdictOn(held, { secret, lie: true, task: all })),
      15 / 16,
    );
  });

  it("that differs in its lowest bit is found every time", () => {
    const all = { ...task, openings: task.rows };
    const held = spoil((c) => (c[700]! ^= 1));

    expect(shareFound((secret) => verdictOn(held, { secret, lie: true, task: all }), fewTrials)).toBe(1);
  });
});

describe("5 % wrong rows", () => {
  it("of a liar are found with 1 - (1 - 0.05)^openings, and a little more often since no row is asked for twice", () => {
    const wrongRows = Math.round(0.05 * SIDE);
    const held = spoil((c) => c.fill(7, 0, wrongRows * SIDE));
    let missed = 1;
    for (let row = 0; row < wrongRows; row += 1) missed *= (SIDE - task.openings - row) / (SIDE - row);

    expect(1 - missed).toBeGreaterThan(1 - (1 - wrongRows / SIDE) ** task.openings);
    expectShare(
      shareFound((secret) => verdictOn(held, { secret, lie: true })),
      1 - missed,
    );
  });

  it("are found every time where C r is told truthfully", () => {
    const held = spoil((c) => c.fill(7, 0, 6 * SIDE));

    expect(shareFound((secret) => verdictOn(held, { secret }), fewTrials)).toBe(1);
  });

  it("in an earlier round are found no less often", () => {
    const two = { ...task, rounds: 2 };
    const held = holdProducts(two, seed, { spoil: (c, round) => void (round === 0 && c.fill(7, 0, 6 * SIDE)) });

    expect(shareFound((secret) => verdictOn(held, { secret, task: two }))).toBeGreaterThan(
      1 - 0.95 ** task.openings - 0.08,
    );
  });
});

describe("what was not done in time, not whole, or not exactly", () => {
  it("C computed after the reveal lies below another root", () => {
    const committed = [{ ...right[0]!, tree: treeOver(new Uint32Array(SIDE * SIDE), task) }];

    expect(verdictOn(right, { secret: "a", roots: rootsOf(committed) })).toMatchObject({
      ok: false,
      code: "wrong-root",
    });
  });

  it("a skipped round has no product to show", () => {
    const two = { ...task, rounds: 2 };
    const made = someDigest("made up, to learn the next round's matrices early");
    const [, second] = holdProducts(two, seed);
    const held = [{ ...right[0]!, c: new Uint32Array(SIDE * SIDE) }, second!];

    expect(verdictOn(held, { secret: "a", task: two, roots: [made, rootsOf([second!])[0]!] })).toMatchObject({
      ok: false,
    });
  });

  it("a smaller matrix lies below another root", () => {
    const larger = { ...task, rows: 2 * SIDE };
    const ask = questionsFor("a");
    const result = answerFrom(right, task, ask);

    expect(verify({ task: larger, roots: rootsOf(right), result, ask })).toMatchObject({
      ok: false,
      code: "wrong-root",
    });
  });

  it("a smaller matrix that is filled up is found with the share of rows that are missing", () => {
    const larger = { ...task, rows: 2 * SIDE, openings: 4 };
    const held = holdProducts(larger, seed, { spoil: (c) => c.copyWithin(SIDE * SIDE, 0, SIDE * SIDE) });

    expectShare(
      shareFound((secret) => verdictOn(held, { secret, lie: true, task: larger })),
      1 - 0.5 ** 4,
    );
  });

  it("fewer columns, filled up, are found in every row", () => {
    const held = spoil((c) => c.forEach((_, place) => place % SIDE >= 120 && (c[place] = 0)));

    expect(shareFound((secret) => verdictOn(held, { secret, lie: true }), fewTrials)).toBe(1);
  });

  it.each([
    ["of 32 bits", Math.fround],
    ["of 64 bits", (value: number) => value],
  ])("float arithmetic %s is found every time", (_, rounded) => {
    const held = holdProducts(task, seed, { multiply: inFloats(rounded) });

    expect(shareFound((secret) => verdictOn(held, { secret, lie: true }), fewTrials)).toBe(1);
  });

  it("arithmetic on 24 of the 32 bits is found every time", () => {
    const held = spoil((c) => c.forEach((word, place) => (c[place] = word & 0x00ff_ffff)));

    expect(shareFound((secret) => verdictOn(held, { secret, lie: true }), fewTrials)).toBe(1);
  });
});

describe("another's work", () => {
  it("of another GPU is not this GPU's, though it is right for that one", () => {
    const theirs = holdProducts(task, gpuSeed(challenge, "GPU-2"));

    expect(verdictOn(theirs, { secret: "a", lie: true })).toMatchObject({ ok: false, code: "wrong-row" });
  });

  it("done for one GPU and claimed for two is found for the second every time", () => {
    const found = shareFound((secret) => {
      const ask = questions(revealOf(secret), "GPU-2");
      const result = answerFrom(right, task, ask);
      return verifyCompute({ task, seed: gpuSeed(challenge, "GPU-2"), roots: rootsOf(right), questions: ask, result });
    }, fewTrials);

    expect(found).toBe(1);
  });

  it.each<[string, Challenge]>([
    ["another nonce", challengeOf(task, { nonce: "another" })],
    ["another agent", { ...challenge, agent: challenge.validator }],
    ["another host", { ...challenge, hostKey: Buffer.alloc(32).toString("base64") }],
  ])("of a challenge with %s has other matrices", (_, other) => {
    const held = holdProducts(task, gpuSeed(other, "GPU-1"));

    expect(verdictOn(held, { secret: "a", lie: true })).toMatchObject({ ok: false, code: "wrong-row" });
  });
});

describe("an answer that is no answer", () => {
  it("is refused for its shape, and nothing is thrown", () => {
    const ask = questionsFor("a");
    const whole = answerFrom(right, task, ask);
    const [rows = []] = whole.opened;
    const broken: ComputeResult[] = [
      { ...whole, opened: [] },
      { ...whole, opened: [rows.slice(1)] },
      { ...whole, opened: [rows.map(({ path }) => ({ words: "AAAA", path }))] },
      { ...whole, product: "AAAA" },
    ];

    for (const result of broken) {
      expect(verify({ task, roots: rootsOf(right), result, ask })).toMatchObject({ ok: false, code: "wrong-shape" });
    }
  });

  it("with rows in another order than they were asked for lies elsewhere in the tree", () => {
    const ask = questionsFor("a");
    const whole = answerFrom(right, task, ask);

    const result = { ...whole, opened: whole.opened.map((rows) => rows.toReversed()) };
    expect(verify({ task, roots: rootsOf(right), result, ask })).toMatchObject({ ok: false, code: "wrong-root" });
  });
});

function spoil(change: (c: Uint32Array) => unknown): Held[] {
  return holdProducts(task, seed, { spoil: (c) => void change(c) });
}

function revealOf(secret: string) {
  return { commit: someDigest("commit"), secret: someDigest(secret) };
}

function questionsFor(secret: string): Questions {
  return questions(revealOf(secret), "GPU-1");
}

interface Told {
  readonly secret: string;
  /** Tells A (B r) for C r, which costs next to nothing and needs no C. */
  readonly lie?: boolean;
  readonly task?: ComputeTask;
  readonly roots?: string[];
}

function verdictOn(held: Held[], { secret, lie = false, task: asked = task, roots = rootsOf(held) }: Told): Verdict {
  const ask = questionsFor(secret);
  const told = answerFrom(held, asked, ask);
  const result = lie ? { ...told, product: toldProduct(trueProduct(asked, ask)) } : told;
  return verify({ task: asked, roots, result, ask });
}

function verify(claim: { task: ComputeTask; roots: string[]; result: ComputeResult; ask: Questions }): Verdict {
  return verifyCompute({ ...claim, seed, questions: claim.ask });
}

const trueProducts = new Map<number, Uint32Array>();

function trueProduct(asked: ComputeTask, ask: Questions): Uint32Array {
  const { a, b } = factors(seed);
  const c =
    trueProducts.get(asked.rows) ??
    multiplyExactly(generated(a, asked.rows, asked.inner), generated(b, asked.inner, asked.columns), asked);
  trueProducts.set(asked.rows, c);
  return timesVectorsPlainly(c, asked, ask.vectors(0, asked.columns));
}

function shareFound(verdict: (secret: string) => Verdict, times = trials): number {
  const verdicts = Array.from({ length: times }, (_, trial) => verdict(`secret ${trial}`));
  return verdicts.filter(({ ok }) => !ok).length / times;
}

/** Within four standard deviations; the secrets are the same in every run. */
function expectShare(share: number, expected: number): void {
  expect(Math.abs(share - expected)).toBeLessThan(4 * Math.sqrt((expected * (1 - expected)) / trials));
}
