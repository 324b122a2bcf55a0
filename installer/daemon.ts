/** A daemon of ours as a child process. */
import { type ChildProcess, spawn } from "node:child_process";
import { open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { AppError } from "../protocol/errors.ts";

const ROOT = join(import.meta.dirname, "..");
const START_DEADLINE_MS = 60_000;
const CLOSE_DEADLINE_MS = 20_000;
const POLL_MS = 25;

/** Can be ended softly or hard and started again. */
export interface Daemon {
  readonly pid: number | undefined;
  start(): Promise<void>;
  /** SIGTERM, then waits for the end. */
  stop(): Promise<void>;
  /** SIGKILL, then waits for the end. */
  kill(): Promise<void>;
}

export interface DaemonOptions {
  readonly command: () => readonly string[];
  readonly configPath: string;
  readonly logPath: string;
  readonly prepare?: () => Promise<void>;
  /** Started is ready when left out. */
  readonly ready?: () => Promise<boolean>;
  readonly signal: AbortSignal;
}

/** Not yet started. */
export function daemonOf({ command, configPath, logPath, prepare, ready, signal }: DaemonOptions): Daemon {
  const pidPath = `${logPath}.pid`;
  let child: ChildProcess | undefined;
  const end = async (kind: NodeJS.Signals): Promise<void> => {
    const running = child;
    child = undefined;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => running.once("exit", () => resolve()));
    running.kill(kind);
    const timer = setTimeout(() => running.kill("SIGKILL"), CLOSE_DEADLINE_MS);
    await ended;
    clearTimeout(timer);
  };
  return {
    get pid() {
      return child?.pid;
    },
    start: async () => {
      await endLeftover(pidPath, configPath);
      await prepare?.();
      const log = await open(logPath, "a");
      // A group of its own: Ctrl-C in the terminal must reach only the one who ends the pods first.
      const [file = "", ...args] = command();
      child = spawn(file, [...args, "serve", "--config", configPath], {
        stdio: ["ignore", log.fd, log.fd],
        cwd: ROOT,
        detached: true,
      });
      await log.close();
      await writeFile(pidPath, String(child.pid));
      const deadline = AbortSignal.any([signal, AbortSignal.timeout(START_DEADLINE_MS)]);
      while (ready !== undefined && !(await ready())) {
        if (child.exitCode !== null || deadline.aborted) {
          throw new AppError("command-failed", { message: `A daemon did not start; see ${logPath}` });
        }
        await pause();
      }
    },
    stop: () => end("SIGTERM"),
    kill: () => end("SIGKILL"),
  };
}

/** A daemon that an earlier run could not end, because it was killed itself: known by its pid and its configuration. */
async function endLeftover(pidPath: string, configPath: string): Promise<void> {
  const pid = Number(await readFile(pidPath, "utf8").catch(() => ""));
  if (!Number.isInteger(pid) || pid <= 1) return;
  const runs = async (): Promise<boolean> =>
    (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).split("\0").includes(configPath);
  for (const [kind, patienceMs] of [
    ["SIGTERM", CLOSE_DEADLINE_MS],
    ["SIGKILL", CLOSE_DEADLINE_MS],
  ] as const) {
    if (!(await runs())) return;
    process.kill(pid, kind);
    const patience = AbortSignal.timeout(patienceMs);
    while (!patience.aborted && (await runs())) await pause();
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, POLL_MS));
}
