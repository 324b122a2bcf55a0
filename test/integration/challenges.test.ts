/** Challenges over a real OpenCL device, from the commitment to the verdict, each GPU in a process of its own. */
import { fileURLToPath } from "node:url";

import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";

import type { ChallengeRun, ProverOptions } from "../../executor/challenges/prover.ts";
import { WorkerProcess } from "../../executor/gpus/children/worker-process.ts";
import { decodeWords } from "../../protocol/challenge/bytes.ts";
import { element, rowKey } from "../../protocol/challenge/matrix.ts";
import { Answer, type Challenge, Commit, type Reveal } from "../../protocol/challenge/messages.ts";
import type { GpuTask } from "../../protocol/challenge/task.ts";
import { verifyAnswer, verifyCommit } from "../../protocol/challenge/verify.ts";
import { challengeOf, checks, revealFor, signAnswer } from "../support/challenges/honest.ts";
import { answersOf, commitOf, never, runOnProcessor, soon, successOf, workerParts } from "../support/challenges/run.ts";

const compute: GpuTask = { kind: "compute", rows: 512, inner: 384, columns: 256, rounds: 2, openings: 24 };
const memory: GpuTask = { kind: "memory", rows: 1024, inner: 640, columns: 256, walkers: 256, steps: 200 };
/** So little that every matrix lies in several pieces. */
const inPieces = { maxAllocationBytes: 128 * 1024 * 2 };
const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const thing of open.splice(0)) await thing.close();
});

describe("an honest host", () => {
  it("proves compute for two GPUs at the same time, and every answer verifies", async () => {
    const { challenge, commit, reveal, answers } = await whole(compute, { gpus: ["GPU-1", "GPU-2"] });

    expect(verifyCommit(challenge, commit, checks)).toEqual({ ok: true });
    expect(answers.map((answer) => judge(challenge, commit, reveal, answer))).toEqual([{ ok: true }, { ok: true }]);
  });

  it("proves compute with matrices in several pieces", async () => {
    const { challenge, commit, reveal, answers } = await whole(compute, {}, inPieces);

    expect(judge(challenge, commit, reveal, answers[0]!)).toEqual({ ok: true });
  });

  it("proves memory, whole and in several pieces", async () => {
    for (const options of [{}, inPieces]) {
      const { challenge, commit, reveal, answers } = await whole(memory, {}, options);

      expect(judge(challenge, commit, reveal, answers[0]!)).toEqual({ ok: true });
    }
  });

  it("says by the device's clock how long each kernel ran", async () => {
    const run = await started(challengeOf(compute));
    const committed = successOf((await run.commit(soon)).get(challengeOf(compute).gpus[0]!));

    expect(committed.kernelMs["multiply"]).toBeGreaterThan(0);
    expect(committed.kernelMs["digest_rows"]).toBeGreaterThan(0);
  });
});

describe("what a host did with a real device", () => {
  it("for one GPU does not pass for another, nor for another secret, nor for another challenge", async () => {
    const { challenge, commit, reveal, answers } = await whole(compute, { gpus: ["GPU-1", "GPU-2"] });
    const [first, second] = answers;
    const swapped = signAnswer(challenge, { ...first!.body, gpu: second!.body.gpu });
    const another = challengeOf(compute, { nonce: "another", gpus: ["GPU-1", "GPU-2"] });

    expect(judge(challenge, commit, reveal, swapped)).toMatchObject({ ok: false, code: "wrong-root" });
    expect(judge(challenge, commit, revealFor(commit, "another"), first!)).toMatchObject({ code: "wrong-binding" });
    expect(verifyCommit(another, commit, checks)).toMatchObject({ ok: false, code: "wrong-binding" });
  });

  it("is answered for once", async () => {
    const challenge = challengeOf(memory);
    const run = await started(challenge);
    const reveal = revealFor(await commitOf(run, challenge), "secret");
    await answersOf(run, challenge, reveal);
    const [again] = (await run.answer(reveal, soon)).values();

    expect(again).toMatchObject({ ok: false, code: "out-of-order" });
  });
});

describe("the device's matrices", () => {
  it("are the verifier's, word for word, wherever one looks", async () => {
    const script = fileURLToPath(new URL("../support/challenges/device-worker.ts", import.meta.url));
    const env = { PATH: "/usr/bin:/bin" };
    const restart = { firstDelayMs: 0, maxDelayMs: 0 };
    const device = new WorkerProcess({ name: "device", script, args: [], env, restart }, workerParts());
    open.push(device);
    const word = fc.integer({ min: 0, max: 2 ** 32 - 1 });
    const place = fc.record({
      key: fc.record({ a: word, b: word }),
      row: fc.integer({ min: 0, max: 2 ** 26 }),
      column: fc.integer({ min: 0, max: 2 ** 16 }),
      rows: fc.integer({ min: 1, max: 5 }),
      columns: fc.integer({ min: 1, max: 70 }),
    });

    await fc.assert(
      fc.asyncProperty(place, async (piece) => {
        const answer = await device.request(piece, 60_000, never);
        const { key, row, column, rows, columns } = piece;
        const expected = Array.from({ length: rows * columns }, (_, index) =>
          element(rowKey(key, row + Math.floor(index / columns)), column + (index % columns)),
        );

        expect(answer.ok && [...(decodeWords(String(answer.value), rows * columns) ?? [])]).toEqual(expected);
      }),
      { numRuns: 40 },
    );
  });
});

async function started(challenge: Challenge, options: ProverOptions = {}): Promise<ChallengeRun> {
  const run = runOnProcessor(challenge, options);
  open.push(run);
  for (const outcome of (await run.open(never)).values()) successOf(outcome);
  return run;
}

/** With every message as it comes out of the wire. */
async function whole(task: GpuTask, names: Parameters<typeof challengeOf>[1], options: ProverOptions = {}) {
  const challenge = challengeOf(task, names);
  const run = await started(challenge, options);
  const commit = Commit.parse(onTheWire(await commitOf(run, challenge)));
  const reveal = revealFor(commit, "secret");
  const answers = Answer.array().parse(onTheWire(await answersOf(run, challenge, reveal)));
  return { challenge, commit, reveal, answers };
}

function onTheWire(message: unknown): unknown {
  return JSON.parse(JSON.stringify(message));
}

function judge(challenge: Challenge, commit: Commit, reveal: Reveal, answer: Answer) {
  return verifyAnswer({ challenge, commit, reveal, answer, checks, sample: 16, random: Buffer.alloc(32, 3) });
}
