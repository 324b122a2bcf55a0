/**
 * Tries again, later and later, until it works, the tries are used up or the signal aborts.
 * Half of every delay is chance, so that a fleet which failed together does not come back together.
 */
import type { Clock } from "./clock.ts";

export interface Backoff {
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
}

export interface FailedTry {
  /** Counted from 1. */
  readonly attempt: number;
  readonly error: unknown;
  readonly delayMs: number;
}

export interface RetryOptions extends Backoff {
  readonly clock: Clock;
  /** Like Math.random: at least 0, below 1. */
  readonly random: () => number;
  /** How often the work is tried at most; Infinity is allowed. */
  readonly attempts: number;
  /** Whether this error may pass by itself. Every error may when left out. */
  readonly mayPass?: (error: unknown) => boolean;
  /** Called before each wait. */
  readonly onFailedTry?: (failed: FailedTry) => void;
}

/** The delay after failed attempt number `attempt` (from 1): doubled each time, capped, its upper half by chance. */
export function backoffMs(attempt: number, { firstDelayMs, maxDelayMs }: Backoff, random: () => number): number {
  const full = Math.min(maxDelayMs, firstDelayMs * 2 ** Math.min(attempt - 1, 52));
  return full / 2 + (full / 2) * random();
}

/** What `work` returned at last. Throws its last error when it gives up, and the signal's reason when aborted. */
export async function retry<T>(
  work: (attempt: number) => Promise<T>,
  options: RetryOptions,
  signal: AbortSignal,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    signal.throwIfAborted();
    try {
      return await work(attempt);
    } catch (error) {
      signal.throwIfAborted();
      if (attempt >= options.attempts || options.mayPass?.(error) === false) throw error;
      const delayMs = backoffMs(attempt, options, options.random);
      options.onFailedTry?.({ attempt, error, delayMs });
      await options.clock.sleep(delayMs, signal);
    }
  }
}
