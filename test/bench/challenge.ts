/**
 * What challenges cost: proving on the first OpenCL device, by the size of the matrices, against checking the answer; and checking
 * an answer for matrices of 24 GiB, in a process of its own. No device here holds those: of the product only the rows that are
 * asked for are made, which the verifier cannot tell, and which costs it the same.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

import type { OpenClDevice } from "../../executor/challenges/opencl/devices.ts";
import { encodeWords } from "../../protocol/challenge/bytes.ts";
import { element, rowKey } from "../../protocol/challenge/matrix.ts";
import { merkleTree, productDigests, rowDigest } from "../../protocol/challenge/merkle.ts";
import type { Challenge, ComputeResult } from "../../protocol/challenge/messages.ts";
import { productReader, timesVectors } from "../../protocol/challenge/multiply.ts";
import { distinctBelow, type Factors, factors, gpuSeed, questions } from "../../protocol/challenge/seeds.ts";
import {
  type ComputeTask,
  heldBytes,
  type MemoryTask,
  multiplications,
  productFilling,
  type Shape,
  shapeFilling,
} from "../../protocol/challenge/task.ts";
import { walk } from "../../protocol/challenge/verify-memory.ts";
import { challengeOf, someDigest } from "../support/challenges/honest.ts";
import { never, runOnProcessor, successOf } from "../support/challenges/run.ts";
import type { VerifierReport, VerifierRequest } from "../support/challenges/verifier-process.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const SIZES_ON_PROCESSOR = [3 * MIB, 12 * MIB, 48 * MIB, 192 * MIB];
const SHARES_OF_GPU = [1 / 64, 1 / 8, 0.9];
const OPENINGS = 64;
const VERIFIER = fileURLToPath(new URL("../support/challenges/verifier-process.ts", import.meta.url));
const reveal = { commit: someDigest("commit"), secret: someDigest("secret") };
const deadline = { timeoutMs: 10 * 60_000, signal: never };

interface SizeResult {
  readonly bytes: number;
  readonly shape: Shape;
  readonly commitMs: number;
  readonly answerMs: number;
  /** Of multiplying alone, by the device's clock. */
  readonly gigaMultiplicationsPerSecond: number;
  readonly verifyMs: number;
  /** Proving over checking. */
  readonly ratio: number;
}

export async function measureChallenge() {
  const device = await firstDevice();
  const sizes: SizeResult[] = [];
  for (const bytes of sizesFor(device)) sizes.push(await measureSize(bytes));
  const walked = await measureWalks(device);
  const large = await checkApart(largeCompute());
  const walks = await checkApart(largeMemory());
  return {
    device: device.name,
    sizes,
    walks: walked,
    verify24GiBMs: large.tookMs,
    verify24GiBCpuMs: large.cpuMs,
    verifyRssMB: large.peakRssMB,
    verifyMemory24GiBMs: walks.tookMs,
  };
}

async function firstDevice(): Promise<OpenClDevice> {
  const run = runOnProcessor(challengeOf({ kind: "compute", ...shapeFilling(MIB)!, rounds: 1, openings: 1 }));
  const [outcome] = (await run.open(never)).values();
  await run.close();
  return successOf(outcome).device;
}

function sizesFor({ isCpu, memoryBytes }: OpenClDevice): number[] {
  return isCpu ? SIZES_ON_PROCESSOR : SHARES_OF_GPU.map((share) => share * memoryBytes);
}

/** Over as much memory as the device can lend, with as many walks as validators ask for, but for a processor. */
async function measureWalks({ isCpu, memoryBytes }: OpenClDevice) {
  const task: MemoryTask = isCpu
    ? { kind: "memory", ...productFilling(48 * MIB, 1_024)!, walkers: 4_096, steps: 1_024 }
    : { kind: "memory", ...productFilling(0.9 * memoryBytes, 16_384)!, walkers: 2 ** 18, steps: 2_048 };
  const challenge = challengeOf(task);
  const [gpu] = challenge.gpus;
  await using run = await startedRun(challenge);
  const began = performance.now();
  successOf((await run.commit(deadline)).get(gpu!));
  const filledMs = Math.round(performance.now() - began);
  const { kernelMs } = successOf((await run.answer(reveal, deadline)).get(gpu!));
  const walkMs = Math.round(kernelMs["walk"] ?? 0);
  const megaReadsPerSecond = rounded((task.walkers * task.steps) / (kernelMs["walk"] ?? 0) / 1_000);
  return { bytes: heldBytes(task), inner: task.inner, filledMs, walkMs, megaReadsPerSecond };
}

async function startedRun(challenge: Challenge) {
  const run = runOnProcessor(challenge);
  for (const outcome of (await run.open(never)).values()) successOf(outcome);
  return { commit: run.commit.bind(run), answer: run.answer.bind(run), [Symbol.asyncDispose]: () => run.close() };
}

async function measureSize(bytes: number): Promise<SizeResult> {
  const task: ComputeTask = { kind: "compute", ...shapeFilling(bytes)!, rounds: 1, openings: OPENINGS };
  const challenge = challengeOf(task);
  const [gpu] = challenge.gpus;
  await using run = await startedRun(challenge);
  const began = performance.now();
  const committed = successOf((await run.commit(deadline)).get(gpu!));
  const committedAt = performance.now();
  const { result } = successOf((await run.answer(reveal, deadline)).get(gpu!));
  const answeredAt = performance.now();
  if (result.kind !== "compute") throw new Error("It answers something else.");
  const seed = gpuSeed(challenge, gpu!).toString("hex");
  const { tookMs } = await checkApart({ task, roots: committed.roots, result, seed, gpu: gpu!, reveal });
  return {
    bytes: heldBytes(task),
    shape: { rows: task.rows, inner: task.inner, columns: task.columns },
    commitMs: Math.round(committedAt - began),
    answerMs: Math.round(answeredAt - committedAt),
    gigaMultiplicationsPerSecond: rounded(multiplications(task) / (committed.kernelMs["multiply"] ?? 0) / 1e6),
    verifyMs: tookMs,
    ratio: rounded((answeredAt - began) / tookMs),
  };
}

/** Throws when the answer is not found right, for then something else was measured. */
async function checkApart(request: VerifierRequest): Promise<VerifierReport> {
  const child = fork(VERIFIER, { execArgv: [] });
  child.send(request);
  const [report]: VerifierReport[] = await once(child, "message");
  if (report?.verdict.ok !== true) throw new Error(`The answer was not right: ${JSON.stringify(report?.verdict)}`);
  return report;
}

function largeCompute(): VerifierRequest {
  const task: ComputeTask = { kind: "compute", ...shapeFilling(24 * GIB)!, rounds: 1, openings: OPENINGS };
  const challenge = challengeOf(task);
  const gpu = "GPU-1";
  const seed = gpuSeed(challenge, gpu);
  const keys = factors(seed);
  const ask = questions(reveal, gpu);
  const rows = ask.rows(0, OPENINGS, task.rows);
  const shown = rowsOfProduct(keys, rows, task);
  const leaves = Buffer.alloc(32 * task.rows, 9);
  for (const [index, row] of rows.entries()) leaves.set(rowDigest(shown[index]!), 32 * row);
  const tree = merkleTree(leaves);
  const vectors = ask.vectors(0, task.columns);
  const inner = timesVectors({ key: keys.b, rows: Array(task.inner).keys(), columns: task.columns }, vectors);
  const product = timesVectors({ key: keys.a, rows: Array(task.rows).keys(), columns: task.inner }, inner);
  const opened = rows.map((row, index) => ({
    words: encodeWords(shown[index]!),
    path: tree.path(row).toString("base64"),
  }));
  const result: ComputeResult = {
    kind: "compute",
    product: productDigests(product).toString("base64"),
    opened: [opened],
  };
  return { task, roots: [tree.root.toString("hex")], result, seed: seed.toString("hex"), gpu, reveal };
}

/** Only the walks that are looked at are walked. */
function largeMemory(): VerifierRequest {
  const shape = productFilling(24 * GIB, 16_384)!;
  const task: MemoryTask = { kind: "memory", ...shape, walkers: 2 ** 18, steps: 2_048 };
  const gpu = "GPU-1";
  const seed = gpuSeed(challengeOf(task), gpu);
  const [sample, random] = [32, someDigest("random")];
  const read = productReader({ ...factors(seed), inner: task.inner });
  const walks = questions(reveal, gpu).walks();
  const ends = new Uint32Array(task.walkers);
  for (const walker of distinctBelow(Buffer.from(random, "hex"), sample, task.walkers)) {
    ends[walker] = walk(task, rowKey(walks, walker), read);
  }
  const result = { kind: "memory", ends: encodeWords(ends) } as const;
  return { task, sample, random, result, seed: seed.toString("hex"), gpu, reveal };
}

function rowsOfProduct({ a, b }: Factors, rows: readonly number[], { inner, columns }: Shape): Uint32Array[] {
  const keys = rows.map((row) => rowKey(a, row));
  const sums = rows.map(() => new Uint32Array(columns));
  const right = new Uint32Array(columns);
  for (let depth = 0; depth < inner; depth += 1) {
    const own = rowKey(b, depth);
    for (let column = 0; column < columns; column += 1) right[column] = element(own, column);
    for (const [index, key] of keys.entries()) addTimes(sums[index]!, right, element(key, depth));
  }
  return sums;
}

function addTimes(sums: Uint32Array, right: Uint32Array, left: number): void {
  for (let column = 0; column < sums.length; column += 1) sums[column]! += Math.imul(left, right[column]!);
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
