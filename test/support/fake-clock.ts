/**
 * A clock that stands still until the test moves it. Sleepers wake in the order of their times,
 * and whatever a sleeper does next is done before the next one wakes.
 */
import { setImmediate as settle } from "node:timers/promises";

import type { Clock } from "../../common/clock.ts";

interface Sleeper {
  readonly wakeAt: number;
  readonly wake: () => void;
}

export class FakeClock implements Clock {
  #monotonic = 0;
  #epoch: number;
  readonly #sleepers = new Set<Sleeper>();
  readonly #watchers = new Set<() => void>();

  constructor(startMs: number = Date.UTC(2026, 0, 1)) {
    this.#epoch = startMs;
  }

  now(): number {
    return this.#epoch + this.#monotonic;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const sleeper = { wakeAt: this.#monotonic + Math.max(0, ms), wake: resolve };
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    this.#sleepers.add(sleeper);
    for (const look of this.#watchers) look();
    try {
      await promise;
    } finally {
      signal.removeEventListener("abort", onAbort);
      this.#sleepers.delete(sleeper);
    }
  }

  /** How many sleeps are under way. */
  get sleeping(): number {
    return this.#sleepers.size;
  }

  /** Resolves once at least `count` sleeps are under way; for code that does real work before it waits. */
  async untilSleeping(count = 1): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = (): void => {
      if (this.#sleepers.size >= count) resolve();
    };
    this.#watchers.add(look);
    look();
    await promise;
    this.#watchers.delete(look);
  }

  /** Moves both clocks on by `ms` and lets everything run that becomes due on the way. */
  async advance(ms: number): Promise<void> {
    const end = this.#monotonic + ms;
    await settle();
    for (let next = this.#nextDue(end); next !== undefined; next = this.#nextDue(end)) {
      this.#monotonic = Math.max(this.#monotonic, next.wakeAt);
      this.#sleepers.delete(next);
      next.wake();
      await settle();
    }
    this.#monotonic = end;
  }

  /** Moves the wall clock alone, as an operator or a time server does. Nobody wakes. */
  jump(ms: number): void {
    this.#epoch += ms;
  }

  #nextDue(end: number): Sleeper | undefined {
    const due = [...this.#sleepers].filter(({ wakeAt }) => wakeAt <= end);
    return due.toSorted((a, b) => a.wakeAt - b.wakeAt)[0];
  }
}
