/**
 * How long to wait before trying again: later and later. Half of every delay is chance, so that a fleet which failed
 * together does not come back together.
 */
export interface Backoff {
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
}

/** The delay after failed attempt number `attempt` (from 1): doubled each time, capped, its upper half by chance. */
export function backoffMs(attempt: number, { firstDelayMs, maxDelayMs }: Backoff, random: () => number): number {
  const full = Math.min(maxDelayMs, firstDelayMs * 2 ** Math.min(attempt - 1, 52));
  return full / 2 + (full / 2) * random();
}
