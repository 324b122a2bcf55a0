/**
 * Token buckets: so many at once, then so many a second. The rule is pure; the table around it has a fixed size, so nobody can
 * make it grow: each key shares one of its buckets, by a secret hash, with whoever else falls into it.
 */
import { hash, randomBytes } from "node:crypto";

export interface Rate {
  readonly perSecond: number;
  /** How many may come at once, after a while without any; at least 1. */
  readonly burst: number;
}

export interface Bucket {
  readonly tokens: number;
  /** When it held that many, in milliseconds of a clock that never goes back. */
  readonly atMs: number;
}

/** What the bucket holds by now; time that went back adds nothing. */
export function refill({ tokens, atMs }: Bucket, { perSecond, burst }: Rate, nowMs: number): Bucket {
  if (nowMs <= atMs) return { tokens, atMs };
  return { tokens: Math.min(burst, tokens + ((nowMs - atMs) * perSecond) / 1000), atMs: nowMs };
}

/** Milliseconds until there is a token; 0 when there is one. */
export function waitFor({ tokens }: Bucket, { perSecond }: Rate): number {
  return tokens >= 1 ? 0 : Math.ceil(((1 - tokens) / perSecond) * 1000);
}

/** 16,384 buckets in 256 KiB. */
const SLOTS = 2 ** 14;

export class Buckets {
  readonly #rate: Rate;
  readonly #tokens: Float64Array;
  readonly #atMs: Float64Array;
  readonly #salt = randomBytes(16).toString("hex");

  constructor(rate: Rate, slots = SLOTS) {
    this.#rate = rate;
    this.#tokens = new Float64Array(slots).fill(rate.burst);
    this.#atMs = new Float64Array(slots);
  }

  /** Takes a token when there is one. 0, or the milliseconds until there is one. */
  take(key: string, nowMs: number): number {
    const slot = this.#slotOf(key);
    const bucket = this.#refilled(slot, nowMs);
    const waitMs = waitFor(bucket, this.#rate);
    this.#tokens[slot] = waitMs === 0 ? bucket.tokens - 1 : bucket.tokens;
    this.#atMs[slot] = bucket.atMs;
    return waitMs;
  }

  /** The same without taking one. */
  look(key: string, nowMs: number): number {
    return waitFor(this.#refilled(this.#slotOf(key), nowMs), this.#rate);
  }

  #refilled(slot: number, nowMs: number): Bucket {
    return refill({ tokens: this.#tokens[slot] ?? 0, atMs: this.#atMs[slot] ?? 0 }, this.#rate, nowMs);
  }

  #slotOf(key: string): number {
    return Number.parseInt(hash("sha256", this.#salt + key).slice(0, 8), 16) % this.#tokens.length;
  }
}
