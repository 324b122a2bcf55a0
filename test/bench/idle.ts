/**
 * What both daemons cost while nothing happens: resident memory and CPU over 60 s with 20 running pods.
 */
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

import { busyboxImage } from "../support/images.ts";
import { startLive } from "../support/live.ts";

const PODS = 20;
const IDLE_MS = 60_000;
/** Linux counts process times in hundredths of a second for user space, on every platform that we support. */
const TICKS_PER_SECOND = 100;

export interface Cost {
  readonly rssMB: number;
  readonly cpuPercent: number;
}

export async function measureIdle(): Promise<{
  readonly pods: number;
  readonly seconds: number;
  readonly agent: Cost;
  readonly executor: Cost;
}> {
  const busybox = await busyboxImage();
  await using live = await startLive({ built: true });
  await Promise.all(Array.from({ length: PODS }, () => live.rent({ image: busybox })));
  const { agent, executor } = live.stack;
  const before = [await cpuTicks(agent.pid), await cpuTicks(executor.pid)] as const;
  const began = performance.now();
  await sleep(IDLE_MS);
  const seconds = (performance.now() - began) / 1000;
  const cost = async (pid: number | undefined, ticksBefore: number): Promise<Cost> => ({
    rssMB: await rssMB(pid),
    cpuPercent: Math.round((((await cpuTicks(pid)) - ticksBefore) / TICKS_PER_SECOND / seconds) * 10_000) / 100,
  });
  return {
    pods: PODS,
    seconds: Math.round(seconds),
    agent: await cost(agent.pid, before[0]),
    executor: await cost(executor.pid, before[1]),
  };
}

async function cpuTicks(pid: number | undefined): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

async function rssMB(pid: number | undefined): Promise<number> {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1];
  return Math.round(Number(kib) / 102.4) / 10;
}
