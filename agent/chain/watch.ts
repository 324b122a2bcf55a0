/**
 * Reads the chain every few minutes, keeps the permitted validators, and announces where we listen when that has changed.
 * All of it happens beside the validator API: whoever asks who is permitted gets what is known, at once.
 */
import { type Backoff, backoffMs } from "../../common/backoff.ts";
import type { Clock } from "../../common/clock.ts";
import type { Logger } from "../../common/logger.ts";
import { AppError, toAppError } from "../../protocol/errors.ts";
import { type Announcement, announcementDue } from "./announcing.ts";
import type { Axon, Chain, Metagraph } from "./chain.ts";
import type { KnownValidators } from "./known-validators.ts";

export interface ChainWatchOptions {
  readonly chain: Chain;
  readonly known: KnownValidators;
  /** Our own, ss58. */
  readonly hotkey: string;
  /** Where validators are to dial; undefined when nothing is announced. */
  readonly wanted: () => Axon | undefined;
  readonly refreshMs: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random?: () => number;
}

export interface Problem {
  readonly atMs: number;
  readonly error: AppError;
}

const READ_AGAIN: Backoff = { firstDelayMs: 30_000, maxDelayMs: 300_000 };
const ANNOUNCE_AGAIN: Backoff = { firstDelayMs: 60_000, maxDelayMs: 3_600_000 };
/** Whoever asks by hand is answered from what was read this recently: public nodes count requests. */
const RECENT_MS = 15_000;

export class ChainWatch {
  readonly #options: ChainWatchOptions;
  #metagraph: Metagraph | undefined;
  #readAtMs: number | undefined;
  #readProblem: Problem | undefined;
  #announceProblem: Problem | undefined;
  #failedReads = 0;
  #failedAnnouncements = 0;
  #announceAfterMs = -Infinity;
  #working: Promise<void> | undefined;
  #done: Promise<void> | undefined;

  constructor(options: ChainWatchOptions) {
    this.#options = options;
  }

  get seen() {
    return {
      metagraph: this.#metagraph,
      readAtMs: this.#readAtMs,
      readProblem: this.#readProblem,
      announceProblem: this.#announceProblem,
    };
  }

  /** Begins at once and goes on until the signal aborts. */
  start(signal: AbortSignal): void {
    this.#done = this.#loop(signal);
  }

  /** Resolves when the signal has aborted and nothing is under way. */
  async closed(): Promise<void> {
    await this.#done;
  }

  /** What is due by what was last read; undefined before, and when nothing is announced. */
  due(): Announcement | undefined {
    const wanted = this.#options.wanted();
    if (wanted === undefined || this.#metagraph === undefined) return undefined;
    return announcementDue(wanted, this.#metagraph, this.#options.hotkey);
  }

  /** Reads and announces now, whatever failed before. Throws what the chain throws, and `chain-refused` when it is too soon. */
  async announceNow(signal: AbortSignal): Promise<void> {
    const { wanted, clock } = this.#options;
    if (wanted() === undefined) {
      throw new AppError("invalid-request", { message: "Nothing is announced: see announce in [chain]." });
    }
    await this.#working;
    if (this.#readAtMs === undefined || clock.now() - this.#readAtMs > RECENT_MS)
      await this.#alone(() => this.#read(signal));
    if (this.#readProblem !== undefined) throw this.#readProblem.error;
    const due = this.due();
    if (due?.do === "wait")
      throw refusal("too-soon", `The chain takes the next announcement in ${due.forMs / 1000} s.`);
    if (due?.do === "register-first") throw refusal("not-registered", "The hotkey is not registered on the subnet.");
    this.#announceAfterMs = -Infinity;
    await this.#alone(() => this.#announce(signal));
    if (this.#announceProblem !== undefined) throw this.#announceProblem.error;
  }

  async #loop(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#working;
      await this.#alone(async () => {
        await this.#read(signal);
        if (this.#readProblem === undefined) await this.#announce(signal);
      });
      // An abort while waiting is how the loop ends.
      await this.#options.clock.sleep(this.#pauseMs(), signal).catch(() => undefined);
    }
  }

  #pauseMs(): number {
    const { refreshMs, random = Math.random } = this.#options;
    if (this.#failedReads === 0) return refreshMs;
    return Math.min(refreshMs, backoffMs(this.#failedReads, READ_AGAIN, random));
  }

  /** One thing at a time. */
  async #alone(work: () => Promise<void>): Promise<void> {
    while (this.#working !== undefined) await this.#working;
    this.#working = work();
    await this.#working.finally(() => (this.#working = undefined));
  }

  async #read(signal: AbortSignal): Promise<void> {
    const { chain, known, clock, log } = this.#options;
    try {
      const metagraph = await chain.readMetagraph(signal);
      await known.update(metagraph, clock.now());
      this.#metagraph = metagraph;
      this.#readAtMs = clock.now();
      if (this.#readProblem !== undefined) log.info("the chain is read again", { block: metagraph.block });
      this.#readProblem = undefined;
      this.#failedReads = 0;
    } catch (thrown) {
      if (signal.aborted) return;
      const error = toAppError(thrown);
      if (this.#readProblem?.error.message !== error.message)
        log.warn("the chain was not read; validators are served by what was known", { error });
      this.#readProblem = { atMs: clock.now(), error };
      this.#failedReads += 1;
    }
  }

  async #announce(signal: AbortSignal): Promise<void> {
    const { chain, wanted, clock, log, random = Math.random } = this.#options;
    const axon = wanted();
    const due = this.due();
    if (due?.do === "nothing") this.#announceProblem = undefined;
    if (axon === undefined || due?.do !== "announce" || clock.monotonic() < this.#announceAfterMs) return;
    try {
      await chain.serveAxon(axon, signal);
      await this.#read(signal);
      if (this.#readProblem === undefined && this.due()?.do !== "nothing")
        throw new AppError("chain-unreachable", {
          message: "The announcement was sent, but the chain does not show it yet.",
        });
      log.info("announced where validators find this agent", { ...axon });
      this.#announceProblem = undefined;
      this.#failedAnnouncements = 0;
    } catch (thrown) {
      if (signal.aborted) return;
      const error = toAppError(thrown);
      this.#failedAnnouncements += 1;
      this.#announceAfterMs = clock.monotonic() + backoffMs(this.#failedAnnouncements, ANNOUNCE_AGAIN, random);
      this.#announceProblem = { atMs: clock.now(), error };
      log.warn("where we listen was not announced", { error });
    }
  }
}

function refusal(reason: string, message: string): AppError {
  return new AppError("chain-refused", { message, details: { reason } });
}
