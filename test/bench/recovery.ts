/**
 * How fast a host is itself again. Milliseconds, from the start of the executor's process until the agent sees each pod
 * running on a host that is connected; the middle one of several starts:
 *   adopt0Ms, adopt20Ms, adopt50Ms   after `kill -9`, with so many pods
 *   bootWedgedMs                     with 50 pods, one of them beyond the engine's control: until the 49 others run
 * and from the end of a pod's main process until the agent says so: exitReportP50Ms, exitReportP99Ms.
 */
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import Dockerode from "dockerode";

import type { PodView } from "../../protocol/pod.ts";
import { busyboxImage } from "../support/images.ts";
import { type Live, startLive } from "../support/live.ts";
import { percentiles } from "./percentiles.ts";

const STARTS = 5;
const EXIT_ROUNDS = 5;
const [SOME, MANY] = [20, 50];
const POLL_MS = 40;
const ADOPT_MS = 60_000;
/** Long enough for the engine to be stuck in the call that wedges a pod. */
const WEDGED_AFTER_MS = 1_500;
const SMALL = { memoryBytes: 32 * 2 ** 20, cpus: 0.01, restart: "never" } as const;

export interface RecoveryResult {
  readonly starts: number;
  readonly exits: number;
  readonly adopt0Ms: number;
  readonly adopt20Ms: number;
  readonly adopt50Ms: number;
  readonly bootWedgedMs: number;
  readonly exitReportP50Ms: number;
  readonly exitReportP99Ms: number;
}

export async function measureRecovery(): Promise<RecoveryResult> {
  const image = await busyboxImage();
  await using live = await startLive({ built: true });
  const docker = new Dockerode();
  const adopt0Ms = await middle(() => adopt(live, []));
  const some = await rentMany(live, image, SOME);
  const adopt20Ms = await middle(() => adopt(live, some));
  const exits: number[] = [];
  for (let round = 0; round < EXIT_ROUNDS; round += 1)
    for (const pod of some) exits.push(await exitAndStart(live, docker, pod));
  const all = [...some, ...(await rentMany(live, image, MANY - SOME))];
  const adopt50Ms = await middle(() => adopt(live, all));
  const bootWedgedMs = await withWedged(docker, all, (others) => middle(() => adopt(live, others)));
  const { p50Ms: exitReportP50Ms, p99Ms: exitReportP99Ms } = percentiles(exits);
  const sizes = { starts: STARTS, exits: exits.length };
  return { ...sizes, adopt0Ms, adopt20Ms, adopt50Ms, bootWedgedMs, exitReportP50Ms, exitReportP99Ms };
}

async function rentMany(live: Live, image: string, count: number): Promise<PodView[]> {
  return Promise.all(Array.from({ length: count }, () => live.rent({ image, ...SMALL })));
}

/** Kills the executor and starts it; the time until all these pods run on a connected host. */
async function adopt(live: Live, pods: readonly PodView[]): Promise<number> {
  await live.stack.executor.kill();
  // Until the agent has seen that, it shows what was before.
  await until(live, ({ connected }) => !connected);
  const began = performance.now();
  await live.stack.executor.start();
  await until(live, ({ connected, running }) => connected && pods.every(({ podId }) => running.has(podId)));
  return performance.now() - began;
}

interface Sight {
  readonly connected: boolean;
  readonly running: ReadonlySet<string>;
}

async function until(live: Live, holds: (sight: Sight) => boolean): Promise<void> {
  const deadline = performance.now() + ADOPT_MS;
  for (;;) {
    const [{ offers }, { pods }] = await Promise.all([live.client.capacity({}), live.client.listPods({ query: {} })]);
    const running = pods.filter(({ live: isLive, status }) => isLive && status.phase === "running");
    const sight = { connected: offers.length > 0, running: new Set(running.map(({ podId }) => podId)) };
    if (holds(sight)) return;
    if (performance.now() > deadline) throw new Error("the host did not come back");
    await sleep(POLL_MS);
  }
}

/** Ends a pod's main process from outside, waits until the agent says so, and starts the pod again. */
async function exitAndStart(live: Live, docker: Dockerode, { podId }: PodView): Promise<number> {
  const { State } = await docker.getContainer(`lium-${podId}`).inspect();
  const told = live.untilPhase(podId, "exited");
  const began = performance.now();
  process.kill(State.Pid, "SIGKILL");
  await told;
  const took = performance.now() - began;
  await live.client.startPod({ params: { podId } });
  await live.untilPhase(podId, "running");
  return took;
}

/** Freezes the process that holds one pod's container while the engine waits for it. */
async function withWedged<T>(
  docker: Dockerode,
  pods: readonly PodView[],
  use: (others: readonly PodView[]) => Promise<T>,
): Promise<T> {
  const [wedged, ...others] = pods;
  const container = docker.getContainer(`lium-${wedged?.podId}`);
  const { Id } = await container.inspect();
  const shim = pidOfShim(Id);
  process.kill(shim, "SIGSTOP");
  const stopped = container.stop({ t: 1 }).catch(() => undefined);
  try {
    await sleep(WEDGED_AFTER_MS);
    return await use(others);
  } finally {
    process.kill(shim, "SIGCONT");
    await stopped;
  }
}

function pidOfShim(containerId: string): number {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const shim = pids.find((pid) => {
    const args = argsOf(pid);
    return args[0]?.includes("containerd-shim") === true && args.includes(containerId);
  });
  if (shim === undefined) throw new Error("the container has no shim");
  return Number(shim);
}

function argsOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch {
    return [];
  }
}

async function middle(measure: () => Promise<number>): Promise<number> {
  const times: number[] = [];
  for (let start = 0; start < STARTS; start += 1) times.push(await measure());
  return percentiles(times).p50Ms;
}
