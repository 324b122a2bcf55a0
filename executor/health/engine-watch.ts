/**
 * Does the container engine answer? Asked every few seconds, so that an engine that hangs is told apart from pods that died:
 * while it does not answer nothing is started, ended or blamed, and an exit from around that time is not the renter's doing.
 */
import type { Clock } from "../../common/clock.ts";
import type { Logger } from "../../common/logger.ts";
import { startTicker } from "../../common/ticker.ts";
import { toAppError } from "../../protocol/errors.ts";

export interface EngineWatchDeps {
  readonly ping: (signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface EngineWatchOptions {
  readonly everyMs: number;
  readonly deadlineMs: number;
}

export const ENGINE_WATCH: EngineWatchOptions = { everyMs: 5_000, deadlineMs: 5_000 };

interface Outage {
  readonly beganMs: number;
  readonly endedMs: number | undefined;
}

/** One slow answer is no outage; an engine that refuses the connection is gone at once. */
const MISSES = 2;
/** An engine that shuts down ends containers this long before it stops answering, and one that starts may end some after. */
const BEFORE_MS = 20_000;
const AFTER_MS = 60_000;
const KEPT_OUTAGES = 16;

export class EngineWatch {
  readonly #options: EngineWatchOptions;
  readonly #deps: EngineWatchDeps;
  readonly #closing = new AbortController();
  readonly #listeners = new Set<() => void>();
  #outages: readonly Outage[] = [];
  #misses = 0;
  #done: Promise<void> | undefined;

  constructor(options: EngineWatchOptions, deps: EngineWatchDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** True until it is known to be otherwise. */
  get answering(): boolean {
    return this.#outages.at(-1)?.endedMs !== undefined || this.#outages.length === 0;
  }

  /** Since when it has not answered, in milliseconds since the epoch. */
  get silentSinceMs(): number | undefined {
    const last = this.#outages.at(-1);
    return last?.endedMs === undefined ? last?.beganMs : undefined;
  }

  /** Told after each change of `answering`. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  start(): void {
    const { clock, log } = this.#deps;
    const onError = (error: unknown): void => log.warn("the engine could not be asked", { error });
    const options = { clock, everyMs: this.#options.everyMs, run: () => this.ask(), onError };
    this.#done ??= startTicker(options, this.#closing.signal).done;
  }

  /** Asks now; whoever has a reason to doubt need not wait. */
  async ask(): Promise<void> {
    const deadline = AbortSignal.timeout(this.#options.deadlineMs);
    try {
      await this.#deps.ping(AbortSignal.any([deadline, this.#closing.signal]));
      this.#misses = 0;
      this.#ended();
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      this.#misses += deadline.aborted ? 1 : MISSES;
      if (this.#misses >= MISSES) this.#began(toAppError(error).message);
    }
  }

  /** Whether an engine that went away may have ended something at that instant, in milliseconds since the epoch. */
  wentDownAround(atMs: number): boolean {
    return this.#outages.some(
      ({ beganMs, endedMs }) => atMs >= beganMs - BEFORE_MS && atMs <= (endedMs ?? this.#deps.clock.now()) + AFTER_MS,
    );
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#done;
  }

  #began(message: string): void {
    if (!this.answering) return;
    const { clock, log } = this.#deps;
    log.error("the container engine does not answer: pods are unknown until it does", { message });
    this.#outages = [...this.#outages, { beganMs: clock.now(), endedMs: undefined }].slice(-KEPT_OUTAGES);
    this.#tell();
  }

  #ended(): void {
    const last = this.#outages.at(-1);
    if (last === undefined || last.endedMs !== undefined) return;
    const { clock, log } = this.#deps;
    log.info("the container engine answers again", { silentMs: clock.now() - last.beganMs });
    this.#outages = [...this.#outages.slice(0, -1), { ...last, endedMs: clock.now() }];
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
