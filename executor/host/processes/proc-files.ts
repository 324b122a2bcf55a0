/**
 * Reading /proc. What vanishes while it is read is undefined: processes end at any time. Never reads a file of an unknown
 * process for which the kernel takes that process's memory lock (cmdline, environ, maps): one that is stuck holding its
 * lock would block a thread of ours for ever.
 */
import { readFileSync } from "node:fs";
import { readdir, readFile, readlink } from "node:fs/promises";

import { AppError } from "../../../protocol/errors.ts";

/** Far more than a healthy kernel needs, also with ten thousand processes. */
const DEADLINE_MS = 10_000;
const AT_ONCE = 64;

/** The pids of all processes. */
export async function readPids(procRoot: string): Promise<number[]> {
  return numbersIn(await readdir(procRoot));
}

/** The numbered entries of a folder such as /proc/1/task; none when it is gone. */
export async function readNumbers(path: string): Promise<number[]> {
  return numbersIn((await unlessGone(readdir(path))) ?? []);
}

export function readText(path: string): Promise<string | undefined> {
  return unlessGone(readFile(path, "utf8"));
}

/** For the last look before a process is killed: nothing else runs in between. */
export function readTextNow(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // Gone, or not ours to read: in both cases it is left alone.
    return undefined;
  }
}

export function readTarget(path: string): Promise<string | undefined> {
  return unlessGone(readlink(path));
}

/** Runs `look` for each, a few at a time, and keeps what it finds. */
export async function findAmong<In, Out>(
  items: readonly In[],
  look: (item: In) => Promise<Out | undefined>,
  signal: AbortSignal,
): Promise<Out[]> {
  const found: Out[] = [];
  for (let at = 0; at < items.length; at += AT_ONCE) {
    signal.throwIfAborted();
    const results = await Promise.all(items.slice(at, at + AT_ONCE).map(look));
    for (const result of results) if (result !== undefined) found.push(result);
  }
  return found;
}

/** Rejects with `deadline-exceeded` when the kernel does not answer in time, with the signal's reason when it aborts. */
export async function withinLimits<T>(
  what: string,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const deadline = AbortSignal.timeout(DEADLINE_MS);
  const either = AbortSignal.any([signal, deadline]);
  const stopped = Promise.withResolvers<never>();
  const stop = (): void => stopped.reject(either.reason);
  either.addEventListener("abort", stop, { once: true });
  try {
    either.throwIfAborted();
    return await Promise.race([work(either), stopped.promise]);
  } catch (error) {
    signal.throwIfAborted();
    if (!deadline.aborted) throw error;
    throw new AppError("deadline-exceeded", { message: `${what} took longer than ${DEADLINE_MS} ms.`, cause: error });
  } finally {
    either.removeEventListener("abort", stop);
  }
}

function numbersIn(names: readonly string[]): number[] {
  return names.filter((name) => /^[1-9]\d*$/.test(name)).map(Number);
}

/** ESRCH: the process ended between opening and reading. EACCES and EINVAL: it has just begun to end. */
async function unlessGone<T>(read: Promise<T>): Promise<T | undefined> {
  try {
    return await read;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT" || code === "ESRCH" || code === "EACCES" || code === "EINVAL") return undefined;
    throw error;
  }
}
