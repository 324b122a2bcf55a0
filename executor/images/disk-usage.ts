/**
 * How full the file system under a folder is, as `df` counts it: what is kept back for root is not there to be used.
 * A file system that hangs gives no answer, and is not asked again before it has given one.
 */
import { statfs } from "node:fs/promises";

import type { Clock } from "../../common/clock.ts";
import type { DiskUsage } from "./gc.ts";

const DEADLINE_MS = 5_000;

/** A function that resolves with undefined when nothing can be known now. */
export function createDiskUsage(path: string, clock: Clock): (signal: AbortSignal) => Promise<DiskUsage | undefined> {
  let asking: Promise<DiskUsage | undefined> | undefined;
  return async (signal) => {
    asking ??= read(path).finally(() => (asking = undefined));
    const answered = new AbortController();
    const deadline = clock.sleep(DEADLINE_MS, AbortSignal.any([signal, answered.signal])).catch(() => undefined);
    try {
      return await Promise.race([asking, deadline.then(() => undefined)]);
    } finally {
      answered.abort();
    }
  };
}

async function read(path: string): Promise<DiskUsage | undefined> {
  try {
    const { bsize, blocks, bfree, bavail, files, ffree } = await statfs(path);
    const used = (blocks - bfree) * bsize;
    return {
      bytes: { used, total: used + bavail * bsize },
      inodes: files === 0 ? undefined : { used: files - ffree, total: files },
    };
  } catch {
    // A folder that cannot be looked at says nothing of how full it is.
    return undefined;
  }
}
