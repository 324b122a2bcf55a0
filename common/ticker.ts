/**
 * Runs something every so often, from now until the signal aborts. Runs never overlap, a tick that comes
 * while a run is under way is dropped, and a run that fails is reported and does not end the ticking.
 */
import type { Clock } from "./clock.ts";

export interface TickerOptions {
  readonly clock: Clock;
  readonly everyMs: number;
  readonly run: (signal: AbortSignal) => Promise<void>;
  readonly onError: (error: unknown) => void;
}

export interface Ticker {
  /** When a run last succeeded, in milliseconds since the epoch; undefined before the first success. */
  readonly lastSuccess: number | undefined;
  /** Resolves when the signal has aborted and the last run is over. It never rejects. */
  readonly done: Promise<void>;
}

/** The first run starts at once. */
export function startTicker(options: TickerOptions, signal: AbortSignal): Ticker {
  let lastSuccess: number | undefined;

  async function runOnce(): Promise<void> {
    try {
      await options.run(signal);
      lastSuccess = options.clock.now();
    } catch (error) {
      if (!signal.aborted) options.onError(error);
    }
  }

  const done = tick({ ...options, runOnce }, signal);
  return {
    done,
    get lastSuccess() {
      return lastSuccess;
    },
  };
}

interface TickOptions extends Pick<TickerOptions, "clock" | "everyMs"> {
  readonly runOnce: () => Promise<void>;
}

async function tick({ clock, everyMs, runOnce }: TickOptions, signal: AbortSignal): Promise<void> {
  let due = clock.monotonic();
  while (!signal.aborted) {
    await runOnce();
    due += everyMs * Math.max(1, Math.ceil((clock.monotonic() - due) / everyMs));
    // An abort while waiting is how ticking ends.
    await clock.sleep(due - clock.monotonic(), signal).catch(() => undefined);
  }
}
