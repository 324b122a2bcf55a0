/**
 * The processes of one container, found in /proc by its id alone, and their end by SIGKILL.
 *
 * A process is a member when the kernel says that it is in a control group which bears the container's whole id, and a shim
 * when its arguments say `-id <id> -namespace moby`. Both are checked again, with the start time, right before the kill.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import type { ContainerProcesses, HostProcess } from "./host-processes.ts";
import { findAmong, readNumbers, readPids, readText, readTextNow } from "./proc-files.ts";
import { groupsOfContainer, isDead, isShimOf, parseStat, type Stat } from "./proc-text.ts";

export interface ProcPaths {
  /** /proc */
  readonly procRoot: string;
  /** /sys/fs/cgroup */
  readonly cgroupRoot: string;
}

/** Sends SIGKILL; throws when there is no such process. */
export type SendKill = (pid: number) => void;

/** The kernel cuts names of programs to 15 letters. */
const SHIM_COMMAND = "containerd-shim";

interface Found {
  readonly kind: "members" | "shims";
  readonly process: HostProcess;
}

export async function findContainerProcesses(
  { procRoot }: ProcPaths,
  containerId: string,
  signal: AbortSignal,
): Promise<ContainerProcesses> {
  const found = await findAmong(
    await readPids(procRoot),
    (pid) => examine(join(procRoot, `${pid}`), containerId, signal),
    signal,
  );
  const processesOf = (kind: Found["kind"]): HostProcess[] =>
    found.filter((each) => each.kind === kind).map(({ process }) => process);
  return { members: processesOf("members"), shims: processesOf("shims") };
}

async function examine(dir: string, containerId: string, signal: AbortSignal): Promise<Found | undefined> {
  const [groups, statText] = await Promise.all([readText(join(dir, "cgroup")), readText(join(dir, "stat"))]);
  const stat = statText === undefined ? undefined : parseStat(statText);
  if (stat === undefined) return undefined;
  const isMember = groups !== undefined && groupsOfContainer(groups, containerId).length > 0;
  if (
    !isMember &&
    !(stat.command === SHIM_COMMAND && isShimOf(argvOf(await readText(join(dir, "cmdline"))), containerId))
  )
    return undefined;
  const process = await livingProcess(dir, stat, signal);
  return process && { kind: isMember ? "members" : "shims", process };
}

/** A process whose first thread is dead lives on in its other threads; the worst of all tells how it does. */
async function livingProcess(dir: string, first: Stat, signal: AbortSignal): Promise<HostProcess | undefined> {
  const threads = await findAmong(
    await readNumbers(join(dir, "task")),
    async (tid) => {
      const text = await readText(join(dir, "task", `${tid}`, "stat"));
      const stat = text === undefined ? undefined : parseStat(text);
      return stat === undefined || isDead(stat) ? undefined : { tid, state: stat.state };
    },
    signal,
  );
  const worst = threads.find(({ state }) => state === "D") ?? threads[0];
  if (worst === undefined) return undefined;
  const waitsIn = (await readText(join(dir, "task", `${worst.tid}`, "wchan"))) ?? "";
  return {
    pid: Number(dir.split("/").at(-1)),
    startTicks: first.startTicks,
    command: first.command,
    state: worst.state,
    waitsIn: waitsIn === "0" ? "" : waitsIn.trim(),
  };
}

/** Kills those that are still who they were. Between the check and the kill nothing of ours runs, and a pid lives longer. */
export function killProcesses(
  { procRoot, sendKill }: ProcPaths & { readonly sendKill: SendKill },
  containerId: string,
  processes: readonly HostProcess[],
): void {
  for (const { pid, startTicks } of processes) {
    if (!isStillOf(join(procRoot, `${pid}`), containerId, startTicks)) continue;
    try {
      sendKill(pid);
    } catch {
      // It ended in this very moment.
    }
  }
}

function isStillOf(dir: string, containerId: string, startTicks: number): boolean {
  const stat = parseStat(readTextNow(join(dir, "stat")) ?? "");
  if (stat?.startTicks !== startTicks) return false;
  if (groupsOfContainer(readTextNow(join(dir, "cgroup")) ?? "", containerId).length > 0) return true;
  return stat.command === SHIM_COMMAND && isShimOf(argvOf(readTextNow(join(dir, "cmdline"))), containerId);
}

/** Thaws the container's own group in each hierarchy that can freeze; version 2 kills the frozen without help. */
export function thawContainer(
  { procRoot, cgroupRoot }: ProcPaths,
  containerId: string,
  members: readonly HostProcess[],
): void {
  const groups = members.flatMap(({ pid }) =>
    groupsOfContainer(readTextNow(join(procRoot, `${pid}`, "cgroup")) ?? "", containerId),
  );
  const paths = groups.filter(({ controllers }) => controllers.includes("freezer")).map(({ path }) => path);
  for (const path of new Set(paths)) {
    const file = join(cgroupRoot, "freezer", path, "freezer.state");
    if (readTextNow(file)?.trim() !== "FROZEN" && readTextNow(file)?.trim() !== "FREEZING") continue;
    try {
      writeFileSync(file, "THAWED");
    } catch {
      // The group is gone; so are its members, and the next look will show that.
    }
  }
}

function argvOf(cmdline: string | undefined): string[] {
  return cmdline?.split("\0") ?? [];
}
