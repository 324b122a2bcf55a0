/**
 * A process that works on a volume, whatever it finds, until it is killed.
 */
import { systemClock } from "../../../common/clock.ts";
import { createLogger } from "../../../common/logger.ts";
import { fscryptCipher } from "../../../executor/storage/volumes/cipher.ts";
import { linuxTools } from "../../../executor/storage/volumes/linux-tools.ts";
import { volumeIdOf } from "../../../executor/storage/volumes/record.ts";
import { Volumes } from "../../../executor/storage/volumes/volumes.ts";
import { Hotkey } from "../../../protocol/ids.ts";
import { OWNER, podId } from "../builders.ts";

const MIB = 2 ** 20;
const MOST_BYTES = 400 * MIB;

const signal = AbortSignal.timeout(60_000);
const mine = { owner: Hotkey.parse(OWNER), name: "data", podId: podId(1) };
const id = volumeIdOf(mine.owner, mine.name);
const volumes = await Volumes.open(
  {
    root: process.argv[2] ?? "",
    host: "this host",
    defaultBytes: 64 * MIB,
    reserveBytes: 0,
    freezeMs: 20_000,
    overwrite: false,
  },
  {
    tools: linuxTools(),
    cipher: fscryptCipher(),
    clock: systemClock(),
    log: createLogger({ name: "victim", level: "silent" }),
  },
  signal,
);
process.send?.("working");

for (;;) {
  await volumes.attach(mine, signal);
  for (const { snapshotId } of await volumes.copies.snapshots(id)) {
    await volumes.copies.removeSnapshot(id, snapshotId, signal);
  }
  await volumes.copies.snapshot(id, signal);
  await volumes.detach(mine.podId, signal);
  const size = (await volumes.list())[0]?.sizeBytes ?? 0;
  await volumes.grow(id, Math.min(MOST_BYTES, size + MIB), signal);
}
