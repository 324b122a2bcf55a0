/**
 * The volumes of this host and their backups, made over its real tools; and what is left of the disk beside them.
 */
import { join } from "node:path";

import { startTicker } from "../../common/ticker.ts";
import type { Base } from "../base.ts";
import { Backups } from "./backup/backups.ts";
import { fscryptCipher } from "./volumes/cipher.ts";
import { linuxTools } from "./volumes/linux-tools.ts";
import { Volumes } from "./volumes/volumes.ts";

export interface StorageParts {
  readonly volumes: Volumes;
  readonly backups: Backups;
}

const BOOK_EVERY_MS = 15_000;

export async function startStorage(base: Base): Promise<StorageParts> {
  const { config, keys, life, clock, log } = base;
  const { storage, stateDir, reserve } = config;
  const volumes = await Volumes.open(
    {
      root: join(stateDir, "volumes"),
      host: keys.identity.publicKey,
      defaultBytes: storage.volumes.defaultBytes,
      poolBytes: storage.volumes.poolBytes,
      reserveBytes: reserve.diskBytes,
      freezeMs: storage.volumes.freezeSeconds * 1000,
      overwrite: storage.volumes.overwrite,
    },
    { tools: linuxTools(), cipher: fscryptCipher(), clock, log },
    life.signal,
  );
  const backups = new Backups(storage.backups, { copies: volumes.copies, clock, log });
  life.add("volumes", keepBooked(base, volumes));
  return { volumes, backups };
}

/** What was free when this host was measured lay beside the volumes of that time; what came since is not to be rented. */
function keepBooked({ facts, clock, log, life }: Base, volumes: Volumes): () => Promise<void> {
  const measured = facts.value.rentable;
  const before = volumes.bookedBytes();
  const run = async (): Promise<void> => {
    const diskBytes = Math.max(0, measured.diskBytes - (volumes.bookedBytes() - before));
    facts.update({ rentable: { ...measured, diskBytes } });
  };
  const onError = (error: unknown): void => log.warn("volumes cannot be counted", { error });
  const booking = startTicker({ clock, everyMs: BOOK_EVERY_MS, run, onError }, life.signal);
  return () => booking.done;
}
