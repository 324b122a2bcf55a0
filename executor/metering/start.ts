/**
 * Starts the meter of this host: its file, its clock, the tick that closes intervals, and the pruning of what is old.
 */
import { join } from "node:path";

import type { Clock } from "../../common/clock.ts";
import type { Logger } from "../../common/logger.ts";
import { startTicker } from "../../common/ticker.ts";
import type { HostKeys } from "../identity.ts";
import { bootClock } from "./boot-clock.ts";
import type { MeteringConfig } from "./config.ts";
import { Meter } from "./meter.ts";
import { readCounters } from "./traffic.ts";
import { openUsageStore } from "./usage-store.ts";

export interface MeteringParts {
  readonly config: MeteringConfig;
  readonly stateDir: string;
  readonly bootId: string;
  readonly keys: Pick<HostKeys, "identity">;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface RunningMeter {
  readonly meter: Meter;
  close(): Promise<void>;
}

const DAY_MS = 24 * 3_600_000;
const PRUNE_EVERY_MS = 3_600_000;

/** Throws what opening a file that must survive throws: `state-too-new`, `disk-low`. */
export function startMeter({ config, stateDir, bootId, keys, clock, log }: MeteringParts): RunningMeter {
  const store = openUsageStore(join(stateDir, "usage.db"), keys.identity, clock.now());
  const { salvage } = store.opening;
  if (salvage !== undefined) log.error("the record of usage was damaged; what could be read was kept", { ...salvage });
  const host = keys.identity.publicKey;
  const meter = new Meter({ store, clock: bootClock(bootId, clock), log, host, readCounters });
  const closing = new AbortController();
  const onError = (error: unknown): void => log.error("usage could not be looked after", { error });
  const tickers = [
    { everyMs: config.entrySeconds * 1000, run: async () => meter.tick() },
    { everyMs: PRUNE_EVERY_MS, run: async () => void meter.prune(clock.now() - config.keepDays * DAY_MS) },
  ].map((job) => startTicker({ clock, onError, ...job }, closing.signal));
  return {
    meter,
    close: async () => {
      closing.abort();
      await Promise.all(tickers.map(({ done }) => done));
      meter.close();
    },
  };
}
