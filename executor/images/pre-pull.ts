/**
 * Brings a list of images here while nobody needs the line: it begins when no renter's pull is under way, makes way as soon
 * as one for another image begins, and starts again later. The engine may throw away what a pull had brought that was cut
 * short, so after each time it waits longer.
 */
import { backoffMs } from "../../common/backoff.ts";
import type { Clock } from "../../common/clock.ts";
import type { Logger } from "../../common/logger.ts";
import { startTicker } from "../../common/ticker.ts";
import { AppError } from "../../protocol/errors.ts";
import { engineName } from "./engine-name.ts";
import type { Images } from "./images.ts";

export interface PrePullOptions {
  readonly references: readonly string[];
  /** Between two looks at the whole list. */
  readonly everyMs: number;
}

export interface PrePullDeps {
  readonly images: Images;
  /** Whether the disk has room for images that nobody waits for. */
  readonly hasRoom: () => boolean;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
}

const OPERATOR = { owner: "operator" };
const BREAK = { firstDelayMs: 5_000, maxDelayMs: 300_000 };

export class PrePull {
  readonly #options: PrePullOptions;
  readonly #deps: PrePullDeps;
  readonly #closing = new AbortController();
  #done: Promise<void> | undefined;

  constructor(options: PrePullOptions, deps: PrePullDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  start(): void {
    if (this.#options.references.length === 0) return;
    const { clock, log } = this.#deps;
    const onError = (error: unknown): void => log.warn("images cannot be pulled ahead of time", { error });
    const run = (): Promise<void> => this.#pullAll();
    this.#done = startTicker({ clock, everyMs: this.#options.everyMs, run, onError }, this.#closing.signal).done;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#done;
  }

  /** One after the other: each at the full speed of the line. */
  async #pullAll(): Promise<void> {
    for (const reference of this.#options.references) {
      if (!this.#deps.hasRoom()) return;
      await this.#pull(reference);
    }
  }

  /** Until it is here, or cannot be had. */
  async #pull(reference: string): Promise<void> {
    const { images, clock, log, random } = this.#deps;
    for (let cuts = 1; ; cuts += 1) {
      await this.#untilQuiet();
      const madeWay = new AbortController();
      const stopListening = images.onPulling(() => {
        if (this.#rentersPull(engineName(reference))) madeWay.abort();
      });
      const signal = AbortSignal.any([madeWay.signal, this.#closing.signal]);
      try {
        await images.ensure(reference, { ...OPERATOR, background: true, signal });
        return;
      } catch (error) {
        if (this.#closing.signal.aborted) throw error;
        if (!madeWay.signal.aborted) return log.warn("an image cannot be pulled ahead of time", { reference, error });
        log.info("a pull ahead of time made way for a renter's", { reference, cuts });
      } finally {
        stopListening();
      }
      await clock.sleep(backoffMs(cuts, BREAK, random), this.#closing.signal);
    }
  }

  /** Whether a renter waits for another image than this one. */
  #rentersPull(except?: string): boolean {
    return this.#deps.images.pulling.some(({ rental, name }) => rental && name !== except);
  }

  async #untilQuiet(): Promise<void> {
    const { signal } = this.#closing;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const look = (): void => {
      if (!this.#rentersPull()) resolve();
    };
    const stop = (): void => reject(new AppError("internal", { message: "closing" }));
    const stopListening = this.#deps.images.onPulling(look);
    signal.addEventListener("abort", stop, { once: true });
    look();
    try {
      signal.throwIfAborted();
      await promise;
    } finally {
      stopListening();
      signal.removeEventListener("abort", stop);
    }
  }
}
