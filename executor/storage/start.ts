/**
 * The volumes of this host and their backups, made over its real tools; and what is left of the disk beside them.
 */
import { statfs } from "node:fs/promises";
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

/**
 * Keeps what may be rented of the disk up to date: less by the volumes that were made since the host was measured, and more
 * when others have made room. What pods fill is booked anyway, so less free space than before says nothing.
 */
function keepBooked({ facts, clock, log, life, engineInfo, config }: Base, volumes: Volumes): () => Promise<void> {
  const before = volumes.bookedBytes();
  let measured = facts.value.rentable.diskBytes;
  const run = async (): Promise<void> => {
    const { bavail, bsize } = await statfs(engineInfo.rootDir);
    const newVolumes = volumes.bookedBytes() - before;
    measured = Math.max(measured, bavail * bsize - config.reserve.diskBytes + newVolumes);
    facts.update({ rentable: { ...facts.value.rentable, diskBytes: Math.max(0, measured - newVolumes) } });
  };
  const onError = (error: unknown): void => log.warn("the disk cannot be measured", { error });
  const booking = startTicker({ clock, everyMs: BOOK_EVERY_MS, run, onError }, life.signal);
  return () => booking.done;
}
