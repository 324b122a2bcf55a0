/**
 * Limits that the kernel counts for each user, or for the whole machine, where one pod could take all: root is one user for
 * the host and all its pods. They are raised so far that a pod's own memory limit ends it first, which the kernel charges
 * for each of these things. A limit that is higher already is left alone.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { AppError } from "../../protocol/errors.ts";

const MEBI = 2 ** 20;

/** By their paths below /proc/sys, with what one pod could stop others from doing. */
export const SHARED_LIMITS: readonly { readonly path: string; readonly atLeast: number; readonly guards: string }[] = [
  { path: "fs/inotify/max_user_instances", atLeast: MEBI, guards: "watching files" },
  { path: "fs/inotify/max_user_watches", atLeast: 64 * MEBI, guards: "watching files" },
  { path: "fs/epoll/max_user_watches", atLeast: 256 * MEBI, guards: "servers that wait for connections" },
  { path: "fs/aio-max-nr", atLeast: 64 * MEBI, guards: "databases" },
  // The most that Linux knows on 64 bits; a pod may have 65,536 of them.
  { path: "kernel/pid_max", atLeast: 4_194_304, guards: "starting processes" },
  // Not charged in full: 24 KiB of the host's memory each.
  { path: "kernel/pty/max", atLeast: 65_536, guards: "logging in with a terminal" },
];

/**
 * Resolves with the paths that had to be raised. Rejects with `isolation-unavailable` when one is too low and cannot be
 * raised; its details name them. What this kernel does not have needs no limit.
 */
export async function raiseSharedLimits(root = "/proc/sys"): Promise<string[]> {
  const raised: string[] = [];
  const refused: string[] = [];
  for (const { path, atLeast } of SHARED_LIMITS) {
    const file = join(root, path);
    if (!((await readNumber(file)) < atLeast)) continue;
    const written = await writeFile(file, String(atLeast), { flag: "r+" }).then(
      () => true,
      () => false,
    );
    (written && (await readNumber(file)) >= atLeast ? raised : refused).push(path);
  }
  if (refused.length === 0) return raised;
  throw new AppError("isolation-unavailable", {
    message: `A pod could use up what all share, and these limits cannot be raised: ${refused.join(", ")}.`,
    details: { protection: "shared limits", refused },
  });
}

/** NaN where there is no such file. */
async function readNumber(file: string): Promise<number> {
  return Number.parseInt(await readFile(file, "utf8").catch(() => ""), 10);
}
