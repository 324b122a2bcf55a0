/** Whose answer it is, to what, and signed by whom: all of it is checked before the proof is. */
import { describe, expect, it } from "vitest";

import { generateEd25519 } from "../../../../common/ed25519.ts";
import { devHotkey } from "../../../../common/hotkey.ts";
import {
  type Answer,
  Answer as AnswerSchema,
  type Challenge,
  Challenge as ChallengeSchema,
  type Commit,
  Commit as CommitSchema,
  digestOf,
  type Reveal,
} from "../../../../protocol/challenge/messages.ts";
import { gpuSeed, questions } from "../../../../protocol/challenge/seeds.ts";
import { signStatement, statementBytes } from "../../../../protocol/challenge/signing.ts";
import type { ComputeTask } from "../../../../protocol/challenge/task.ts";
import { verifyAnswer, verifyCommit } from "../../../../protocol/challenge/verify.ts";
import {
  answerFrom,
  challengeOf,
  checks,
  type Held,
  holdProducts,
  revealFor,
  rootsOf,
  signAnswer,
  signCommit,
} from "../../../support/challenges/honest.ts";

const task: ComputeTask = { kind: "compute", rows: 128, inner: 128, columns: 128, rounds: 1, openings: 8 };
const gpus = ["GPU-1", "GPU-2"] as const;
const challenge = challengeOf(task, { gpus: [...gpus] });
const [one, two] = gpus.map((gpu) => holdProducts(task, gpuSeed(challenge, gpu)));
const commit = commitTo(challenge, [one!, two!]);
const reveal = revealFor(commit, "secret");
const answer = answerOf(one!, "GPU-1");

describe("a commitment", () => {
  it("for the challenge, all of its GPUs, signed by host and agent, is right, and survives the wire", () => {
    expect(verifyCommit(challenge, overTheWire(CommitSchema, commit), checks)).toEqual({ ok: true });
  });

  it("that was made for another challenge is refused, though its signatures are right for that one", () => {
    const earlier = challengeOf(task, { nonce: "earlier", gpus: [...gpus] });

    expect(verifyCommit(challenge, commitTo(earlier, [one!, two!]), checks)).toMatchObject({ code: "wrong-binding" });
  });

  it("that was replayed under this challenge's name fails by its signatures", () => {
    const earlier = challengeOf(task, { nonce: "earlier", gpus: [...gpus] });
    const old = commitTo(earlier, [one!, two!]);
    const replayed = { ...old, body: { ...old.body, challenge: digestOf(challenge) } };

    expect(verifyCommit(challenge, replayed, checks)).toMatchObject({ code: "wrong-signature" });
  });

  it("that was replayed and signed anew fails by its rows", () => {
    const earlier = challengeOf(task, { nonce: "earlier", gpus: [...gpus] });
    const old = gpus.map((gpu) => holdProducts(task, gpuSeed(earlier, gpu)));
    const replayed = commitTo(challenge, [old[0]!, old[1]!]);
    const told = answerOf(old[0]!, "GPU-1", revealFor(replayed, "secret"));

    expect(verifyCommit(challenge, replayed, checks)).toEqual({ ok: true });
    expect(judge({ commit: replayed, reveal: revealFor(replayed, "secret"), answer: told })).toMatchObject({
      code: "wrong-row",
    });
  });

  it("leaves out no GPU, names none twice and has a root for each round", () => {
    const [first, second] = commit.body.gpus;
    const bodies = [[first!], [first!, first!], [second!, first!], [{ ...first!, roots: [] }, second!]];

    for (const listed of bodies) {
      expect(verifyCommit(challenge, signCommit(challenge, { ...commit.body, gpus: listed }), checks).ok).toBe(false);
    }
  });
});

describe("an answer", () => {
  it("of each GPU verifies by itself, also after the wire", () => {
    expect(judge({ answer: overTheWire(AnswerSchema, answer) })).toEqual({ ok: true });
    expect(judge({ answer: answerOf(two!, "GPU-2") })).toEqual({ ok: true });
  });

  it("that one GPU gave does not pass for the other's", () => {
    const renamed = signAnswer(challenge, { ...answer.body, gpu: challenge.gpus[1]! });

    expect(judge({ answer: renamed })).toMatchObject({ ok: false, code: "wrong-root" });
  });

  it("for work that was done once and committed to twice passes once", () => {
    const twice = commitTo(challenge, [one!, one!]);
    const told = revealFor(twice, "secret");

    expect(judge({ commit: twice, reveal: told, answer: answerOf(one!, "GPU-1", told) })).toEqual({ ok: true });
    expect(judge({ commit: twice, reveal: told, answer: answerOf(one!, "GPU-2", told) })).toMatchObject({
      code: "wrong-row",
    });
  });

  it("to another reveal, of a GPU that was not asked, or of another kind is refused", () => {
    const other = revealFor(commit, "another secret");
    const stranger = signAnswer(challenge, { ...answer.body, gpu: challengeOf(task, { gpus: ["GPU-9"] }).gpus[0]! });
    const walks = signAnswer(challenge, { ...answer.body, result: { kind: "memory", ends: "AAAA" } });

    expect(judge({ reveal: other })).toMatchObject({ code: "wrong-binding" });
    expect(judge({ answer: stranger })).toMatchObject({ code: "wrong-binding" });
    expect(judge({ answer: walks })).toMatchObject({ code: "wrong-shape" });
    const elsewhere = { ...reveal, commit: digestOf("another") };
    expect(judge({ reveal: elsewhere, answer: answerOf(one!, "GPU-1", elsewhere) })).toMatchObject({
      code: "wrong-binding",
    });
  });

  it("needs both signatures, each over this answer", () => {
    const stranger = generateEd25519();
    const statement = { step: "answer", body: answer.body } as const;
    const forged = signStatement(challenge, statement, (bytes) => stranger.sign(bytes));
    const { host, agent } = answer.signatures;
    const ofCommit = commit.signatures;

    for (const signatures of [
      { host: forged, agent },
      { host, agent: forged },
      { host: agent, agent: host },
      ofCommit,
    ]) {
      expect(judge({ answer: { body: answer.body, signatures } })).toMatchObject({ code: "wrong-signature" });
    }
  });

  it("is signed over bytes that name the step, the challenge and the content, and nothing that a caller wrote", () => {
    const [tag, step, ...digests] = Buffer.from(statementBytes(challenge, { step: "answer", body: answer.body }))
      .toString()
      .split("\n");

    expect([tag, step]).toEqual(["lium-challenge/1", "answer"]);
    expect(digests).toEqual([digestOf(challenge), digestOf(answer.body)]);
  });
});

describe("a message's digest", () => {
  it("does not depend on the order of its fields, and does on everything else", () => {
    const turned = Object.fromEntries(Object.entries(challenge).toReversed());

    expect(digestOf(turned)).toBe(digestOf(challenge));
    expect(digestOf({ ...challenge, validator: devHotkey("//Eve", "ed25519").ss58 })).not.toBe(digestOf(challenge));
    expect(digestOf({ a: [1, 2], b: "x" })).not.toBe(digestOf({ a: [12], b: "x" }));
  });
});

describe("a challenge", () => {
  it.each([
    ["no GPU", { gpus: [] }],
    ["the same GPU twice", { gpus: ["GPU-1", "GPU-1"] }],
    ["a side that is no multiple of the tile", { task: { ...task, rows: 129 } }],
    ["more rows to show than fit a tile", { task: { ...task, openings: 129 } }],
    ["an answer that would be too long", { task: { ...task, columns: 65_536, openings: 128, rounds: 16 } }],
    ["no time", { answerWithinMs: 0 }],
    ["another version", { version: 2 }],
    ["a field that nobody knows", { favour: true }],
  ])("with %s is refused", (_, change) => {
    expect(ChallengeSchema.safeParse({ ...challenge, ...change }).success).toBe(false);
  });
});

function commitTo(asked: Challenge, held: readonly Held[][]): Commit {
  const roots = asked.gpus.map((uuid, index) => ({ uuid, roots: rootsOf(held[index]!) }));
  return signCommit(asked, { challenge: digestOf(asked), gpus: roots });
}

function answerOf(held: Held[], gpu: string, to: Reveal = reveal): Answer {
  const uuid = challenge.gpus.find((name) => name === gpu)!;
  const result = answerFrom(held, task, questions(to, gpu));
  return signAnswer(challenge, { reveal: digestOf(to), gpu: uuid, result });
}

function judge(changed: Partial<{ commit: Commit; reveal: Reveal; answer: Answer }>) {
  const random = Buffer.alloc(32);
  return verifyAnswer({ challenge, commit, reveal, answer, checks, sample: 1, random, ...changed });
}

function overTheWire<T>(schema: { parse(value: unknown): T }, message: T): T {
  return schema.parse(JSON.parse(JSON.stringify(message)));
}
