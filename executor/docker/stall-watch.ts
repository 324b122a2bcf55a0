/**
 * Tells a pull that stands still from one that is slow. The engine speaks of a layer only every half a megabyte, and not at
 * all of one that another pull is fetching, so the bytes that it has on its disk are looked at too.
 */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";

import type { Clock } from "../../common/clock.ts";

export interface StallWatchOptions {
  readonly clock: Clock;
  readonly limitMs: number;
  /** Changes while any download of the engine moves; undefined where that cannot be seen. */
  readonly downloadedBytes: () => Promise<number | undefined>;
  /** Ends the watch. */
  readonly signal: AbortSignal;
}

export interface StallWatch {
  /** The engine said something. */
  moved(): void;
  /** Aborts when nothing has moved for the limit, or up to a quarter longer. */
  readonly stalled: AbortSignal;
}

const LOOKS_PER_LIMIT = 4;

export function watchForStall(options: StallWatchOptions): StallWatch {
  const { clock, limitMs, downloadedBytes, signal } = options;
  const stalled = new AbortController();
  let movedAtMs = clock.monotonic();

  const pauseMs = limitMs / LOOKS_PER_LIMIT;
  // A disk that hangs must not hold up the watch.
  const read = (): Promise<number | undefined> =>
    Promise.race([downloadedBytes(), clock.sleep(pauseMs, signal).then(() => undefined)]);

  async function look(): Promise<void> {
    let bytes = await read();
    while (clock.monotonic() - movedAtMs < limitMs) {
      await clock.sleep(pauseMs, signal);
      const now = await read();
      if (now !== undefined && now !== bytes) movedAtMs = clock.monotonic();
      bytes = now ?? bytes;
    }
    stalled.abort();
  }

  // The sleep rejects when the watch ends.
  look().catch(() => undefined);
  return { moved: () => void (movedAtMs = clock.monotonic()), stalled: stalled.signal };
}

/** How much of unfinished layers lies in the engine's folder for them; undefined when there is no such folder. */
export async function unfinishedBytes(engineRootDir: string): Promise<number | undefined> {
  const folder = join(engineRootDir, "tmp");
  try {
    const names = (await readdir(folder)).filter((name) => name.startsWith("GetImageBlob"));
    const sizes = await Promise.all(names.map((name) => sizeOf(join(folder, name))));
    return sizes.reduce((sum, size) => sum + size, 0);
  } catch {
    // Not every engine keeps them there, and not every executor may look.
    return undefined;
  }
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}
