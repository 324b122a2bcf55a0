/**
 * Running restic: secrets in its environment alone, which only root can read; no limit in time but for how long nothing moves.
 * It leads a process group of its own, so that what it started (ssh, for one) ends with it.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { homedir } from "node:os";
import type { Readable } from "node:stream";

import type { Clock } from "../../../common/clock.ts";
import { AppError, toAppError } from "../../../protocol/errors.ts";
import type { BackupTarget } from "../../../protocol/volume.ts";

export interface ResticOptions {
  readonly target: BackupTarget;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly inactivityMs: number;
  readonly uploadBytesPerSecond?: number | undefined;
  readonly downloadBytesPerSecond?: number | undefined;
}

/** Takes what restic writes; calls `moved` whenever that shows that the work goes on. */
export type Reader = (stdout: Readable, moved: () => void) => Promise<void>;

const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const KIB = 1024;
const STDERR_BYTES = 2_000;

/** Rejects with `backup-failed` when restic cannot run or fails, with `deadline-exceeded` when nothing moves for too long. */
export async function runRestic(args: readonly string[], read: Reader, options: ResticOptions): Promise<void> {
  options.signal.throwIfAborted();
  const child = spawn("restic", [...args, "--no-cache", ...limits(options)], {
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: environment(options.target),
  });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr = (stderr + text).slice(-STDERR_BYTES)));
  const watch = watchOver(child, options);
  try {
    const ended = endOf(child);
    const [exitCode] = await Promise.all([Promise.race([ended, watch.expired]), read(child.stdout, watch.moved)]);
    if (exitCode === 0) return;
    const words = stderr.trimEnd().split("\n").at(-1) ?? "";
    throw new AppError("backup-failed", {
      message: `restic ended with status ${exitCode}. ${words}`.trimEnd(),
      details: { stderr },
    });
  } catch (error) {
    options.signal.throwIfAborted();
    if (error instanceof AppError) throw error;
    throw new AppError("backup-failed", { message: toAppError(error).message, details: { stderr }, cause: error });
  } finally {
    watch.stop();
    kill(child);
  }
}

/** Of one document that restic prints. */
export function collectInto(chunks: Buffer[]): Reader {
  return async (stdout) => {
    for await (const chunk of stdout) chunks.push(Buffer.from(chunk));
  };
}

function environment({ repository, password, s3 }: BackupTarget): Record<string, string> {
  return {
    PATH,
    HOME: homedir(),
    // Twice a second is often enough to be told how far it is.
    RESTIC_PROGRESS_FPS: "2",
    RESTIC_REPOSITORY: repository,
    RESTIC_PASSWORD: password,
    ...(s3 === undefined ? {} : { AWS_ACCESS_KEY_ID: s3.accessKeyId, AWS_SECRET_ACCESS_KEY: s3.secretAccessKey }),
    ...(s3?.sessionToken === undefined ? {} : { AWS_SESSION_TOKEN: s3.sessionToken }),
    ...(s3?.region === undefined ? {} : { AWS_DEFAULT_REGION: s3.region }),
  };
}

function limits({ uploadBytesPerSecond: up, downloadBytesPerSecond: down }: ResticOptions): string[] {
  return [
    ...(up === undefined ? [] : [`--limit-upload=${Math.ceil(up / KIB)}`]),
    ...(down === undefined ? [] : [`--limit-download=${Math.ceil(down / KIB)}`]),
  ];
}

type Child = ChildProcessByStdio<null, Readable, Readable>;

function endOf(child: Child): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (exitCode) => resolve(exitCode));
  });
}

interface Watch {
  readonly moved: () => void;
  /** Rejects when nothing moves for too long, or at an abort; restic has been ended then. */
  readonly expired: Promise<never>;
  stop(): void;
}

function watchOver(child: Child, { signal, clock, inactivityMs }: ResticOptions): Watch {
  const { promise: expired, reject } = Promise.withResolvers<never>();
  const over = new AbortController();
  let lastMs = clock.monotonic();
  const giveUp = (error: unknown): void => {
    reject(error);
    kill(child);
  };
  const watch = async (): Promise<void> => {
    for (;;) {
      const leftMs = lastMs + inactivityMs - clock.monotonic();
      if (leftMs <= 0) break;
      await clock.sleep(leftMs, over.signal);
    }
    giveUp(new AppError("deadline-exceeded", { message: `Nothing moved for ${inactivityMs} ms.` }));
  };
  const onAbort = (): void => giveUp(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  watch().catch(() => undefined);
  expired.catch(() => undefined);
  const stop = (): void => {
    over.abort();
    signal.removeEventListener("abort", onAbort);
  };
  return { moved: () => (lastMs = clock.monotonic()), expired, stop };
}

function kill(child: Child): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // The group is gone already.
  }
}
