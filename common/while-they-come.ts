/**
 * Waiting for many things of which some may hang: for as long as they keep coming, and not for the ones that do not.
 */
import type { Clock } from "./clock.ts";

/** What hangs adds so much to a start; what is only slow is told a moment later. */
const QUIET_MS = 250;

/** Resolves when all are settled, when none has settled for a quarter of a second, or when the signal aborts. */
export async function whileTheyCome(
  waits: readonly Promise<unknown>[],
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  let newest = clock.monotonic();
  const note = (): void => void (newest = clock.monotonic());
  const all = Promise.all(waits.map((wait) => wait.then(note, note)));
  const over = new AbortController();
  const either = AbortSignal.any([over.signal, signal]);
  const quiet = async (): Promise<void> => {
    for (let left = QUIET_MS; left > 0; left = newest + QUIET_MS - clock.monotonic()) await clock.sleep(left, either);
  };
  await Promise.race([all, quiet().catch(() => undefined)]);
  over.abort();
}
