/**
 * This host's clock for promises, which also knows a jump that happened while the executor was away: what the clock was
 * ahead of the kernel's monotonic one is kept. Across a reboot there is nothing to compare with, and the clock is believed.
 */
import { z } from "zod";

import { type Clock, systemClock } from "../../common/clock.ts";
import type { Lifecycle } from "../../common/lifecycle.ts";
import type { Logger } from "../../common/logger.ts";
import { JUMP_POLICY, steadyClock } from "../../common/steady-clock.ts";
import { startTicker } from "../../common/ticker.ts";
import type { Ledger } from "../pods/ledger.ts";

const Kept = z.object({ bootId: z.string(), offsetMs: z.number() });
const KEY = "clock";
const SAVE_EVERY_MS = 60_000;

export interface KeptClockInput {
  readonly ledger: Pick<Ledger, "getMeta" | "setMeta">;
  /** Changes with every boot of the machine. */
  readonly bootId: string;
  readonly log: Logger;
  readonly life: Lifecycle;
}

export function keepClock({ ledger, bootId, log, life }: KeptClockInput): Clock {
  const clock = steadyClock(systemClock(), {
    policy: JUMP_POLICY,
    offsetMs: readOffset(ledger.getMeta(KEY), bootId),
    onJump: (byMs) => {
      log.error("this machine's clock jumped; leases go on as if it had not, for a quarter of an hour", { byMs });
    },
  });
  const run = async (): Promise<void> => {
    ledger.setMeta(KEY, JSON.stringify({ bootId, offsetMs: clock.now() - clock.monotonic() }));
  };
  const onError = (error: unknown): void => log.warn("the clock cannot be noted", { error });
  const saving = startTicker({ clock, everyMs: SAVE_EVERY_MS, run, onError }, life.signal);
  life.add("clock", () => saving.done);
  return clock;
}

function readOffset(text: string | undefined, bootId: string): number | undefined {
  try {
    const kept = Kept.parse(JSON.parse(text ?? ""));
    return kept.bootId === bootId ? kept.offsetMs : undefined;
  } catch {
    return undefined;
  }
}
