/**
 * Values that may be unavailable: how they are made, told apart and chosen between.
 */
import type { Known, Unavailable, UnavailableReason } from "../../protocol/accelerator.ts";

export function unavailable(reason: UnavailableReason, detail?: string): Unavailable {
  return detail === undefined ? { unavailable: reason } : { unavailable: reason, detail: detail.slice(0, 300) };
}

export function isUnavailable(value: unknown): value is Unavailable {
  return typeof value === "object" && value !== null && "unavailable" in value;
}

/** The value, or undefined where it is not known; for decisions that treat every reason alike. */
export function knownOr<T, F>(value: Known<T> | undefined, otherwise: F): T | F {
  return value === undefined || isUnavailable(value) ? otherwise : value;
}

export function mapKnown<T, R>(value: Known<T>, change: (value: T) => R): Known<R> {
  return isUnavailable(value) ? value : change(value);
}

/** What is said for a value counts for more the further down this list it is: that nobody looked says least. */
const WEIGHT: Readonly<Record<UnavailableReason, number>> = {
  "not-read": 0,
  "not-supported": 1,
  deprecated: 1,
  "no-permission": 2,
  off: 3,
  error: 4,
  timeout: 5,
  "reset-required": 6,
  lost: 7,
};

/** The first that is known; else the one whose reason says most, the first of equals. */
export function firstKnown<T>(first: Known<T>, ...others: readonly Known<T>[]): Known<T> {
  return others.reduce((best, other) => (isBetter(other, best) ? other : best), first);
}

/** Whether `candidate` should take the place of `present`, which stands where it is as good. */
export function isBetter(candidate: unknown, present: unknown): boolean {
  if (!isUnavailable(present)) return false;
  return !isUnavailable(candidate) || WEIGHT[candidate.unavailable] > WEIGHT[present.unavailable];
}
