/**
 * Work with a deadline: whoever waits is told in time, also when the work does not listen to its signal.
 */
import type { Clock } from "../../common/clock.ts";
import { AppError } from "../../protocol/errors.ts";

/** Rejects with `deadline-exceeded` after `ms`, when the signal that `work` got aborts as well. */
export async function inTime<T>(clock: Clock, ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const over = new AbortController();
  const done = new AbortController();
  const late = clock.sleep(ms, done.signal).then(() => {
    const error = new AppError("deadline-exceeded");
    over.abort(error);
    throw error;
  });
  try {
    return await Promise.race([work(over.signal), late]);
  } finally {
    done.abort();
  }
}
