/**
 * How much of everything a server takes.
 */
import type { Rate } from "./token-bucket.ts";

export interface HttpLimits {
  readonly bodyBytes: number;
  /** How many one address may send whose head is right; an IPv6 /64 is one. No limit when left out, as on a unix socket. */
  readonly perAddress?: Rate;
  /** How long a request's head, and the whole of it, may take to arrive. */
  readonly headMs: number;
  readonly arrivalMs: number;
  /** How long a `json` answer may take. */
  readonly answerMs: number;
  /** How long the reader of a stream may take nothing of what waits for it; it is dropped before twice that. */
  readonly unreadMs: number;
  readonly connections: number;
  readonly connectionsPerAddress: number;
}

export const DEFAULT_LIMITS: HttpLimits = {
  bodyBytes: 2 ** 20,
  headMs: 10_000,
  arrivalMs: 30_000,
  answerMs: 90_000,
  unreadMs: 15_000,
  connections: 1_024,
  connectionsPerAddress: 256,
};
