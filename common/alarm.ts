/**
 * A sleep that others can end. What rings after `arm` counts, also before anybody waits: nothing is missed in between.
 */
import type { Clock } from "./clock.ts";

export class Alarm {
  readonly #clock: Clock;
  #rung = Promise.withResolvers<void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  arm(): void {
    this.#rung = Promise.withResolvers();
  }

  ring(): void {
    this.#rung.resolve();
  }

  /** Resolves after `ms`, at a ring, or when the signal aborts. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    const timer = new AbortController();
    const either = AbortSignal.any([timer.signal, signal]);
    await Promise.race([this.#rung.promise, this.#clock.sleep(ms, either).catch(() => undefined)]);
    timer.abort();
  }
}
