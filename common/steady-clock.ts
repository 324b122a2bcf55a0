/**
 * A clock for promises: it follows the machine's as long as that runs like a clock, and does not believe a jump at once.
 * Leases end by it, so a wrong second on a time server, or an operator's typing error, ends nobody's lease.
 */
import type { Clock } from "./clock.ts";

export interface JumpPolicy {
  /** A difference up to this is a correction and is followed at once. */
  readonly toleranceMs: number;
  /** A jump that is still there after so long is the truth: the machine slept, or its clock had been wrong before. */
  readonly believeAfterMs: number;
}

export const JUMP_POLICY: JumpPolicy = { toleranceMs: 30_000, believeAfterMs: 900_000 };

export interface SteadyClockOptions {
  readonly policy: JumpPolicy;
  /** Hears of every jump when it is first seen, in milliseconds; forward is positive. */
  readonly onJump: (byMs: number) => void;
  /** What the clock was ahead of the monotonic one when it was last believed; what it is now, when left out. */
  readonly offsetMs?: number | undefined;
}

export function steadyClock(base: Clock, { policy, onJump, offsetMs: known }: SteadyClockOptions): Clock {
  let offsetMs = known ?? base.now() - base.monotonic();
  let doubtSinceMs: number | undefined;
  const now = (): number => {
    const [wall, monotonic] = [base.now(), base.monotonic()];
    const steady = monotonic + offsetMs;
    const isJump = Math.abs(wall - steady) > policy.toleranceMs;
    if (isJump && doubtSinceMs === undefined) {
      doubtSinceMs = monotonic;
      onJump(Math.round(wall - steady));
    }
    if (isJump && doubtSinceMs !== undefined && monotonic - doubtSinceMs < policy.believeAfterMs) return steady;
    doubtSinceMs = undefined;
    offsetMs = wall - monotonic;
    return wall;
  };
  return { now, monotonic: () => base.monotonic(), sleep: (ms, signal) => base.sleep(ms, signal) };
}
