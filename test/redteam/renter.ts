/**
 * The renter's side: copies the program into a pod with scp, runs it over SSH, and reads what it finds line by line.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { dirname } from "node:path";
import { createInterface } from "node:readline";

import { exec } from "../../common/exec.ts";
import type { PodView } from "../../protocol/pod.ts";
import { type Live, sshArgs } from "../support/live.ts";
import { Finding } from "./report.ts";

const COPY_MS = 60_000;
const RUN_MS = 300_000;
const PLACE = "/redteam";

export interface Timed extends Finding {
  /** Of performance.now(): when the finding came. */
  readonly atMs: number;
}

export async function copyInto(live: Live, view: PodView, program: string): Promise<void> {
  const args = sshArgs(view, where(live)).map((word) => (word === "-p" ? "-P" : word));
  const signal = AbortSignal.timeout(COPY_MS);
  await exec("scp", [...args.slice(0, -1), program, `${args.at(-1)}:${PLACE}`], { signal, timeoutMs: COPY_MS });
}

/** Runs attempts in the pod, all of them unless `only` names some. */
export async function attack(
  live: Live,
  view: PodView,
  settings: Readonly<Record<string, string | number>>,
): Promise<Timed[]> {
  const words = Object.entries(settings).map(([name, value]) => `'${name}=${value}'`);
  const args = [...sshArgs(view, where(live)), [PLACE, "run", ...words].join(" ")];
  const client = spawn("ssh", args, { stdio: ["ignore", "pipe", "inherit"], signal: AbortSignal.timeout(RUN_MS) });
  const ended = once(client, "exit");
  const findings: Timed[] = [];
  for await (const line of createInterface(client.stdout))
    findings.push({ ...Finding.parse(JSON.parse(line)), atMs: performance.now() });
  await ended;
  return findings;
}

/** Starts the program's echo server in a pod; it goes on after the login. */
export async function serveEcho(live: Live, view: PodView, port: number): Promise<void> {
  const busybox = "/.lium/k/bin/busybox";
  const command = `${busybox} setsid ${PLACE} serve ${port} </dev/null >/dev/null 2>&1 &`;
  const { exitCode, stderr } = await live.ssh(view, command);
  if (exitCode !== 0) throw new Error(`the echo server did not start: ${stderr}`);
}

function where(live: Live): { key: string; dir: string } {
  return { key: live.keyFile, dir: dirname(live.keyFile) };
}
