/**
 * The clock that usage is measured by: the kernel's monotonic one. All processes of one boot read the same numbers, so time
 * that passed while the executor was down can be told; it stands still while the machine sleeps, as pods do.
 */
import type { Clock } from "../../common/clock.ts";

/** A moment on a machine. Moments of different boots have no distance. */
export interface Moment {
  readonly bootId: string;
  /** Whole milliseconds since the boot. */
  readonly upMs: number;
  /** What the wall clock said, in whole milliseconds since the epoch. */
  readonly wallMs: number;
}

export interface BootClock {
  moment(): Moment;
}

/** `bootId` changes with every boot of the machine. */
export function bootClock(bootId: string, wall: Pick<Clock, "now">): BootClock {
  return {
    moment: () => ({
      bootId,
      upMs: Number(process.hrtime.bigint() / 1_000_000n),
      wallMs: Math.round(wall.now()),
    }),
  };
}
