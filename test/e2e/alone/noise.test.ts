/**
 * Noise: a pod that writes as fast as it can, one who reads its log and one who has stopped reading, while others' pods are
 * asked for. The daemons run as they are released. NOISE_SECONDS sets how long; 60 is what the demand names, and long enough
 * to see that who has stopped reading is dropped.
 */
import { statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import Dockerode from "dockerode";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { DEFAULT_LIMITS } from "../../../common/http-limits.ts";
import type { PodView } from "../../../protocol/pod.ts";
import { type Percentiles, percentiles } from "../../bench/percentiles.ts";
import { buildRedTeam } from "../../redteam/build.ts";
import { attack, copyInto } from "../../redteam/renter.ts";
import { buildDaemons } from "../../support/built.ts";
import { busyboxImage } from "../../support/images.ts";
import { type Live, startLive } from "../../support/live.ts";

const SECONDS = Number(process.env["NOISE_SECONDS"] ?? 15);
const CALM_MS = 5_000;
/** Until the buffers of the connection are full and a reader that takes nothing is dropped, at the second look after that. */
const DROPPED_SECONDS = 15 + (2 * DEFAULT_LIMITS.unreadMs) / 1_000;
const IS_LONG = SECONDS >= DROPPED_SECONDS;
/** The engine's work for the log takes processor time from everybody: on two cores a request may wait for its turn. */
const ALLOWED_MS = 50;
const MIB = 2 ** 20;
const RATE_LIMIT = "LIUM_AGENT_VALIDATOR_RATE_LIMIT_PER_MINUTE";

let live: Live;
let noisy: PodView;
let other: PodView;

beforeAll(async () => {
  await buildDaemons();
  process.env[RATE_LIMIT] = "100000";
  live = await startLive({ built: true });
  delete process.env[RATE_LIMIT];
  const image = await busyboxImage();
  noisy = await live.rent({ image, cpus: 1 });
  other = await live.rent({ image });
  await copyInto(live, noisy, await buildRedTeam());
}, 300_000);
afterAll(() => live[Symbol.asyncDispose]());

describe("a pod that writes without end", { timeout: (SECONDS + 180) * 1_000 }, () => {
  it("demand 38: fills no disk and no memory, and slows no other pod", async () => {
    const { executor, agent } = live.stack;
    const calm = await during(CALM_MS, () => undefined);
    const memory = { executor: 0, agent: 0 };
    const reading = follow();
    const read = counting(reading);
    const stalled = follow();
    const flood = attack(live, noisy, { only: "log-flooding", seconds: SECONDS });
    await stalled.next();

    const noise = await during(SECONDS * 1_000, async () => {
      memory.executor = Math.max(memory.executor, await residentBytes(executor.pid));
      memory.agent = Math.max(memory.agent, await residentBytes(agent.pid));
    });
    await Promise.all([reading.return(undefined), IS_LONG ? undefined : stalled.return(undefined)]);
    const [finding] = await flood;
    const log = await logBytes();
    const ending = IS_LONG ? await lastWords(stalled) : undefined;
    const daemonLogs = ["executor", "agent"].map((name) => sizeOf(join(dirname(live.keyFile), name, `${name}.log`)));

    const figures = { calm, noise, memory, log, daemonLogs, read: read(), detail: finding?.detail };
    process.stdout.write(`${JSON.stringify(figures)}\n`);
    expect(finding).toMatchObject({ outcome: "limited" });
    expect(log).toBeLessThanOrEqual(31 * MIB);
    expect(Math.max(...daemonLogs)).toBeLessThan(MIB);
    expect(memory.executor).toBeLessThanOrEqual(150 * MIB);
    expect(read()).toBeGreaterThan(1_000);
    expect([ending]).toMatchObject([IS_LONG ? { code: "connection-failed" } : undefined]);
    expect(noise.p99Ms).toBeLessThanOrEqual(calm.p99Ms + ALLOWED_MS);
  });
});

function follow() {
  const query = { follow: "true", tail: 0 };
  return live.client.podLogs({ params: { podId: noisy.podId }, query })[Symbol.asyncIterator]() as AsyncGenerator<{
    line: string;
  }>;
}

/** Reads on as fast as it can. */
function counting(lines: AsyncIterable<{ line: string }>): () => number {
  let count = 0;
  void (async () => {
    for await (const { line } of lines) count += line.length > 0 ? 1 : 0;
  })().catch(() => undefined);
  return () => count;
}

/** How long it takes to ask for another pod, time and again. */
async function during(ms: number, meanwhile: () => unknown): Promise<Percentiles & { samples: number }> {
  const took: number[] = [];
  for (const end = performance.now() + ms; performance.now() < end;) {
    const began = performance.now();
    await live.client.getPod({ params: { podId: other.podId }, query: {} });
    took.push(performance.now() - began);
    await meanwhile();
    await until(began + 20);
  }
  return { ...percentiles(took), samples: took.length };
}

async function until(instantMs: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, instantMs - performance.now())));
}

async function lastWords(lines: AsyncGenerator<unknown>): Promise<unknown> {
  try {
    for (;;) if ((await lines.next()).done === true) return undefined;
  } catch (error) {
    return error;
  }
}

async function residentBytes(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

async function logBytes(): Promise<number> {
  const { LogPath } = await new Dockerode().getContainer(`lium-${noisy.podId}`).inspect();
  return ["", ".1", ".2", ".3"].reduce((sum, suffix) => sum + sizeOf(`${LogPath}${suffix}`), 0);
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
