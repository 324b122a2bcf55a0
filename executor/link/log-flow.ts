/**
 * How logs go over the link: many lines in one frame, each log no further ahead than its reader allows, and all logs of the
 * host together no faster than LogPace, so that a pod that writes without end takes neither the link nor the agent from
 * the others. The pod itself is not held up: the engine reads its log from a file.
 */
import type { Clock } from "../../common/clock.ts";
import { logLineBytes } from "../../protocol/link.ts";
import type { LogLine } from "../../protocol/pod.ts";

export interface LogBatch {
  readonly lines: readonly LogLine[];
  readonly bytes: number;
}

/** Lines that are there already go together, up to `maxBytes`; none waits for the next one. */
export async function* batchesOf(lines: AsyncIterable<LogLine>, maxBytes: number): AsyncGenerator<LogBatch> {
  const iterator = lines[Symbol.asyncIterator]();
  let next = peek(iterator);
  try {
    for (let first = await next; first.done !== true; first = await next) {
      const batch = [first.value];
      let bytes = logLineBytes(first.value);
      next = peek(iterator);
      const noMoreNow = new Promise<undefined>((resolve) => setImmediate(() => resolve(undefined)));
      while (bytes < maxBytes) {
        // A failure is thrown once these lines are told.
        const ready = await Promise.race([next, noMoreNow]).catch(() => undefined);
        if (ready === undefined || ready.done === true) break;
        batch.push(ready.value);
        bytes += logLineBytes(ready.value);
        next = peek(iterator);
      }
      yield { lines: batch, bytes };
    }
  } finally {
    await iterator.return?.();
  }
}

/** A failure waits with the promise until somebody asks for it. */
function peek<T>(iterator: AsyncIterator<T>): Promise<IteratorResult<T>> {
  const next = iterator.next();
  next.catch(() => undefined);
  return next;
}

/** How far a log is ahead of its reader. */
export class LogWindow {
  readonly #limitBytes: number;
  #unreadBytes = 0;
  #wake: () => void = () => undefined;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** The reader took so much. */
  taken(bytes: number): void {
    this.#unreadBytes -= bytes;
    this.#wake();
  }

  /** Notes what was sent, and waits until there is room for more. Rejects with the signal's reason. */
  async sent(bytes: number, signal: AbortSignal): Promise<void> {
    this.#unreadBytes += bytes;
    const wake = (): void => this.#wake();
    signal.addEventListener("abort", wake);
    try {
      while (this.#unreadBytes > this.#limitBytes && !signal.aborted)
        await new Promise<void>((resolve) => (this.#wake = resolve));
    } finally {
      signal.removeEventListener("abort", wake);
    }
    signal.throwIfAborted();
  }
}

export interface PaceLimits {
  /** What may go at once after a rest. */
  readonly burstBytes: number;
  readonly bytesPerSecond: number;
}

export class LogPace {
  readonly #limits: PaceLimits;
  readonly #clock: Clock;
  #left: number;
  #atMs: number;

  constructor(limits: PaceLimits, { clock }: { readonly clock: Clock }) {
    this.#limits = limits;
    this.#clock = clock;
    this.#left = limits.burstBytes;
    this.#atMs = clock.monotonic();
  }

  /** Waits as long as it takes to have earned the bytes again that were spent. Rejects with the signal's reason. */
  async spend(bytes: number, signal: AbortSignal): Promise<void> {
    const { burstBytes, bytesPerSecond } = this.#limits;
    const now = this.#clock.monotonic();
    const earned = ((now - this.#atMs) / 1000) * bytesPerSecond;
    this.#atMs = now;
    this.#left = Math.min(burstBytes, this.#left + earned) - bytes;
    if (this.#left < 0) await this.#clock.sleep((-this.#left / bytesPerSecond) * 1000, signal);
  }
}
