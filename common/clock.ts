/**
 * Time as a port. Nothing else reads the clock or sets a timer, so a test owns every moment.
 * Every sleep ends early when its signal aborts.
 */
import { setTimeout as sleepFor } from "node:timers/promises";

export interface Clock {
  /** Milliseconds since the epoch. It may jump; use it for what people and other machines read. */
  now(): number;
  /**
   * Milliseconds since an arbitrary start, the same for all processes of one boot of the machine. It never goes back; use
   * it to measure and to wait.
   */
  monotonic(): number;
  /** Resolves after `ms`. Rejects with the signal's reason as soon as it aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** Node's timers fire at once when asked for more than this. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export function systemClock(): Clock {
  return {
    now: () => Date.now(),
    monotonic: () => Number(process.hrtime.bigint()) / 1e6,
    sleep: async (ms, signal) => {
      const end = performance.now() + ms;
      let left = ms;
      do {
        await abortableTimer(Math.min(Math.max(left, 0), LONGEST_TIMER_MS), signal);
        left = end - performance.now();
      } while (left > 1);
    },
  };
}

/** Node rejects with its own AbortError; every other wait of ours rejects with the signal's reason. */
async function abortableTimer(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleepFor(ms, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}
