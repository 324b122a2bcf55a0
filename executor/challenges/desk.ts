/**
 * Challenges on this host: one at a time. What the agent gives up, or the loss of its link, ends it at once, frees its GPUs and
 * closes what was open.
 */
import type { Clock } from "../../common/clock.ts";
import type { Logger } from "../../common/logger.ts";
import type { ChallengeNews, ChallengeOrder } from "../../protocol/challenge/exchange.ts";
import type { HostChallenge, HostResult } from "../../protocol/challenge/host-messages.ts";
import { type Challenge, digestOf, type Reveal } from "../../protocol/challenge/messages.ts";
import { signStatement } from "../../protocol/challenge/signing.ts";
import { AppError, toAppError } from "../../protocol/errors.ts";
import type { PodId } from "../../protocol/ids.ts";

/** The host's key, and what is signed with it. */
export interface HostIdentity {
  /** base64 of the raw 32 bytes. */
  readonly publicKey: string;
  sign(bytes: Uint8Array): Uint8Array;
}

/** Says something to the agent; resolves when there is room to say more. */
export type Tell = (news: ChallengeNews) => Promise<void>;

export interface Proving {
  readonly id: string;
  readonly challenge: Challenge;
  readonly revealed: Promise<Reveal>;
  readonly tell: Tell;
  readonly signal: AbortSignal;
}

export interface Examining {
  readonly id: string;
  readonly challenge: HostChallenge;
  readonly podId: PodId | undefined;
  /** To be called once, while what it speaks of is there to be looked at. */
  readonly answer: (result: HostResult) => Promise<void>;
  readonly signal: AbortSignal;
}

export interface HostChallengesDeps {
  readonly identity: HostIdentity;
  /** Throws what kept the GPUs from proving it. */
  readonly prove: (proving: Proving) => Promise<void>;
  /** Resolves when nothing is open any longer. */
  readonly examine: (examining: Examining) => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Running {
  readonly id: string;
  readonly stop: AbortController;
  readonly revealed: PromiseWithResolvers<Reveal>;
}

export class HostChallenges {
  readonly #deps: HostChallengesDeps;
  #running: Running | undefined;
  #finished: Promise<void> = Promise.resolve();

  constructor(deps: HostChallengesDeps) {
    this.#deps = deps;
  }

  /** Carries out an order of the agent's; what comes of it is told until `over` aborts. Never throws. */
  take(order: ChallengeOrder, tell: Tell, over: AbortSignal): void {
    const running = this.#running;
    if (order.do === "begin" || order.do === "examine") {
      if (running !== undefined) void tell(failed(order.id, new AppError("challenge-busy")));
      else this.#finished = this.#run(order, tell, over);
    } else if (running?.id === order.id) {
      if (order.do === "reveal") running.revealed.resolve(order.reveal);
      else running.stop.abort(new AppError("challenge-refused", { message: "It was given up." }));
    }
  }

  async close(): Promise<void> {
    this.#running?.stop.abort(new AppError("host-unreachable"));
    await this.#finished;
  }

  async #run(
    order: Extract<ChallengeOrder, { readonly challenge: unknown }>,
    tell: Tell,
    over: AbortSignal,
  ): Promise<void> {
    const { log } = this.#deps;
    const { id, challenge } = order;
    const { kind } = challenge.task;
    const running: Running = { id, stop: new AbortController(), revealed: Promise.withResolvers() };
    this.#running = running;
    let end: ChallengeNews = { said: "closed", id };
    try {
      await this.#answer(order, running, tell, AbortSignal.any([running.stop.signal, over]));
      log.info("a challenge was answered", { id, kind });
    } catch (error) {
      end = failed(id, toAppError(error));
      log.info("a challenge was not answered", { id, kind, error: toAppError(error) });
    }
    // Before the agent hears of the end, so that what it asks next finds nobody in the way.
    this.#running = undefined;
    if (!over.aborted) await tell(end);
  }

  async #answer(
    order: Extract<ChallengeOrder, { readonly challenge: unknown }>,
    { id, revealed }: Running,
    tell: Tell,
    signal: AbortSignal,
  ): Promise<void> {
    const { challenge } = order;
    const { identity, prove } = this.#deps;
    if (digestOf(challenge) !== id || challenge.hostKey !== identity.publicKey) {
      throw new AppError("challenge-refused", { message: "It is not for this host." });
    }
    if (order.do === "examine") return this.#examine(order, tell, signal);
    return prove({ id, challenge: order.challenge, revealed: revealed.promise, tell, signal });
  }

  async #examine(
    { id, challenge, podId }: Extract<ChallengeOrder, { readonly do: "examine" }>,
    tell: Tell,
    signal: AbortSignal,
  ): Promise<void> {
    const { examine, identity, clock } = this.#deps;
    const late = new AbortController();
    const inTime = new AbortController();
    const timer = clock
      .sleep(challenge.answerWithinMs, inTime.signal)
      .then(() => late.abort(new AppError("deadline-exceeded", { message: "It was not answered in its time." })))
      .catch(() => undefined);
    const answer = async (result: HostResult): Promise<void> => {
      inTime.abort();
      const body = { challenge: id, result };
      const signature = signStatement(challenge, { step: "result", body }, (bytes) => identity.sign(bytes));
      await tell({ said: "result", id, body, signature });
    };
    try {
      await examine({ id, challenge, podId, answer, signal: AbortSignal.any([signal, late.signal]) });
    } finally {
      inTime.abort();
      await timer;
    }
  }
}

function failed(id: string, { code, message, details }: AppError): ChallengeNews {
  return { said: "failed", id, reason: { code, message: message.slice(0, 2_000), details: { ...details } } };
}
