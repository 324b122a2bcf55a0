/**
 * The life of a daemon: parts are added in start order and closed in reverse, each within a deadline.
 * Closing lets go of things; it never ends a renter's pod. The first SIGTERM or SIGINT asks for the close,
 * the second one exits at once.
 */
import { AppError } from "../protocol/errors.ts";
import { type Clock, systemClock } from "./clock.ts";
import type { Logger } from "./logger.ts";

const SIGNALS = ["SIGTERM", "SIGINT"] as const;

type SignalName = (typeof SIGNALS)[number];

/** What the lifecycle needs of the process; tests give their own. */
export interface SignalSource {
  on(signal: SignalName, listener: () => void): unknown;
  off(signal: SignalName, listener: () => void): unknown;
  exit(code: number): void;
}

export interface LifecycleOptions {
  readonly log: Logger;
  /** How long each part may take to close. */
  readonly deadlineMs: number;
  readonly clock?: Clock;
  readonly process?: SignalSource;
}

export interface Lifecycle {
  /** Aborts when the close is asked for, before any part is closed. Every loop and every start-up step gets it. */
  readonly signal: AbortSignal;
  /** To be called right after a part was made: what is added first is closed last. */
  add(name: string, close: () => Promise<void> | void): void;
  /** Asks for the close, as a signal does. */
  stop(reason: string): void;
  /** Waits until the close is asked for, closes every part, and gives the names of those that failed to close. */
  run(): Promise<readonly string[]>;
}

interface Part {
  readonly name: string;
  readonly close: () => Promise<void> | void;
}

/**
 * Listens for signals from now on, so that a start-up can be interrupted too.
 * A start-up that throws must still call `stop` and await `run`, to close what it has made.
 */
export function createLifecycle(options: LifecycleOptions): Lifecycle {
  const { log, deadlineMs, clock = systemClock(), process: host = process } = options;
  const parts: Part[] = [];
  const closing = new AbortController();
  const { promise: asked, resolve: ask } = Promise.withResolvers<void>();

  function stop(reason: string): void {
    if (closing.signal.aborted) return;
    log.info("closing", { reason });
    closing.abort();
    ask();
  }

  let signalled = false;
  const listeners = SIGNALS.map((signal) => {
    const listener = (): void => {
      if (signalled) return host.exit(1);
      signalled = true;
      stop(signal);
    };
    host.on(signal, listener);
    return { signal, listener };
  });

  async function run(): Promise<readonly string[]> {
    await asked;
    const failed: string[] = [];
    for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
      try {
        await closeInTime(part, deadlineMs, clock);
      } catch (error) {
        failed.push(part.name);
        log.error("a part did not close", { closing: part.name, error });
      }
    }
    for (const { signal, listener } of listeners) host.off(signal, listener);
    log.info("closed", { failed });
    return failed;
  }

  return { signal: closing.signal, add: (name, close) => void parts.push({ name, close }), stop, run };
}

async function closeInTime(part: Part, deadlineMs: number, clock: Clock): Promise<void> {
  const closed = new AbortController();
  const tooLate = clock.sleep(deadlineMs, closed.signal).then(() => {
    throw new Error(`${part.name} was not closed within ${deadlineMs} ms`);
  });
  try {
    await Promise.race([Promise.resolve(part.close()), tooLate]);
  } finally {
    tooLate.catch(() => undefined);
    closed.abort();
  }
}

/**
 * A whole daemon: starts, runs until the close is asked for, closes. Throws what the start threw, after closing what it had
 * made; throws `internal` when a part did not close in time.
 */
export async function runDaemon(options: LifecycleOptions, start: (life: Lifecycle) => Promise<void>): Promise<void> {
  const life = createLifecycle(options);
  try {
    await start(life);
  } catch (error) {
    life.stop("the start failed");
    await life.run();
    throw error;
  }
  const failed = await life.run();
  if (failed.length > 0)
    throw new AppError("internal", { message: `These parts did not close: ${failed.join(", ")}.` });
}
