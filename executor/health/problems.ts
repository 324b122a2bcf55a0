/**
 * What keeps this host from taking pods, looked at every so often and told to the agent as long as it lasts.
 */
import type { Clock } from "../../common/clock.ts";
import type { Logger } from "../../common/logger.ts";
import { startTicker, type Ticker } from "../../common/ticker.ts";
import { type ErrorCode, toAppError } from "../../protocol/errors.ts";
import type { CurrentFacts } from "../host/current-facts.ts";

/** One thing that may be wrong. */
export interface Look {
  readonly code: ErrorCode;
  /** Resolves with the problem in words, or with undefined where there is none. What it cannot find out is no news. */
  readonly look: (signal: AbortSignal) => Promise<string | undefined>;
}

export interface ProblemsDeps {
  readonly facts: CurrentFacts;
  readonly clock: Clock;
  readonly log: Logger;
}

const EVERY_MS = 15_000;

/** The first look comes at once. Ends with the signal. */
export function watchProblems(looks: readonly Look[], deps: ProblemsDeps, signal: AbortSignal): Ticker {
  const { clock, log } = deps;
  const onError = (error: unknown): void => log.warn("this host cannot be looked at", { error });
  const run = async (): Promise<void> => void (await Promise.all(looks.map((look) => lookOnce(look, deps, signal))));
  return startTicker({ clock, everyMs: EVERY_MS, run, onError }, signal);
}

async function lookOnce({ code, look }: Look, { facts, clock, log }: ProblemsDeps, signal: AbortSignal): Promise<void> {
  const known = facts.value.problems.some((problem) => problem.code === code);
  try {
    const message = await look(signal);
    if (message === undefined) facts.clear(code);
    else facts.raise(code, message, clock.now());
    if (!known && message !== undefined) log.error("this host takes no new pods", { code, message });
  } catch (error) {
    if (!signal.aborted)
      log.warn("something about this host cannot be found out", { about: code, error: toAppError(error) });
  }
}

/** A look at something that fails with this code when it is wrong. */
export function lookFor(code: ErrorCode, check: (signal: AbortSignal) => Promise<void>): Look {
  return {
    code,
    look: async (signal) => {
      try {
        await check(signal);
        return undefined;
      } catch (error) {
        const failure = toAppError(error);
        if (failure.code !== code) throw error;
        return failure.message;
      }
    },
  };
}
