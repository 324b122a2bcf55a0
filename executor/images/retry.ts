/**
 * Which failed pulls are worth another try, and when. What the registry refuses for good is not asked again, and the
 * engine has already tried the layers several times by itself.
 */
import { backoffMs } from "../../common/backoff.ts";
import type { AppError } from "../../protocol/errors.ts";

const ATTEMPTS = 4;
const BACKOFF = { firstDelayMs: 1_000, maxDelayMs: 30_000 };
/** A registry that wants a longer break than this is as good as away. */
const LONGEST_BREAK_MS = 120_000;

/** The wait after failed attempt number `attempt` (from 1), in milliseconds; undefined when there is to be no other. */
export function retryInMs(error: AppError, attempt: number, random: () => number): number | undefined {
  if (attempt >= ATTEMPTS) return undefined;
  if (error.code === "image-pull-failed") return backoffMs(attempt, BACKOFF, random);
  if (error.code !== "image-rate-limited") return undefined;
  const { retryAfterMs } = error.details;
  const asked = typeof retryAfterMs === "number" ? retryAfterMs : 0;
  return asked > LONGEST_BREAK_MS ? undefined : Math.max(asked, backoffMs(attempt, BACKOFF, random));
}
