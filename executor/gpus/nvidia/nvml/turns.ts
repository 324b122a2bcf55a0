/**
 * Devices are asked one after the other, so that a crash has one suspect; but one that takes long does not keep the next
 * from its turn, and whoever asked for it is told that it is late.
 */
import type { Clock } from "../../../../common/clock.ts";

/** How long the next device waits for the one before it. */
const PATIENCE_MS = 200;
/** After this its asker is answered without it. */
const LATE_MS = 700;

export type Turn<T> = { readonly done: T } | { readonly lateMs: number };

export class Turns<T> {
  readonly #clock: Clock;
  readonly #outstanding = new Map<number, number>();
  #before: Promise<unknown> = Promise.resolve();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Work for a device whose earlier work is not done yet is not begun: its calls would hang beside that one's. */
  async take(device: number, work: () => Promise<T>): Promise<Turn<T>> {
    const since = this.#outstanding.get(device);
    if (since !== undefined) return { lateMs: this.#clock.monotonic() - since };
    const before = this.#before;
    const { promise: passed, resolve: pass } = Promise.withResolvers<void>();
    this.#before = passed;
    this.#outstanding.set(device, this.#clock.monotonic());
    await before;
    const begun = this.#clock.monotonic();
    this.#outstanding.set(device, begun);
    const done = work().finally(() => {
      this.#outstanding.delete(device);
      pass();
    });
    const over = new AbortController();
    void this.#after(PATIENCE_MS, over.signal).then(pass);
    const late = this.#after(LATE_MS, over.signal).then(() => ({ lateMs: this.#clock.monotonic() - begun }));
    try {
      return await Promise.race([done.then((value) => ({ done: value })), late]);
    } finally {
      over.abort();
      done.catch(() => undefined);
    }
  }

  async #after(ms: number, over: AbortSignal): Promise<void> {
    await this.#clock.sleep(ms, over).catch(() => undefined);
  }
}
