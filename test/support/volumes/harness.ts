/**
 * Real volumes in a folder that goes with the test: everything that was mounted in it is unmounted first.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";

import { onTestFinished } from "vitest";

import { systemClock } from "../../../common/clock.ts";
import { fscryptCipher, type VolumeCipher } from "../../../executor/storage/volumes/cipher.ts";
import { linuxTools } from "../../../executor/storage/volumes/linux-tools.ts";
import { volumeIdOf } from "../../../executor/storage/volumes/record.ts";
import type { VolumesOptions } from "../../../executor/storage/volumes/stock.ts";
import type { VolumeTools } from "../../../executor/storage/volumes/tools.ts";
import { Volumes } from "../../../executor/storage/volumes/volumes.ts";
import { Hotkey } from "../../../protocol/ids.ts";
import type { VolumeView } from "../../../protocol/volume.ts";
import { OWNER, podId } from "../builders.ts";
import { loggerToMemory } from "../memory-log.ts";
import { removeVolumes, unmountAll } from "./remove.ts";

export const MIB = 2 ** 20;
export const SIGNAL = AbortSignal.timeout(600_000);
export const KEY = Buffer.from("the secret of a renter, 32 bytes");
export const ID = volumeIdOf(Hotkey.parse(OWNER), "data");
export const MINE = { owner: Hotkey.parse(OWNER), name: "data", podId: podId(1) };

export interface VolumesFolder {
  readonly root: string;
  /** As the executor opens them at a start. */
  open(over?: Partial<VolumesOptions>, parts?: { tools?: VolumeTools; cipher?: VolumeCipher }): Promise<Volumes>;
  /** What a reboot leaves: the files, and nothing mounted. */
  reboot(): Promise<void>;
}

export async function volumesFolder(): Promise<VolumesFolder> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "lium-volumes-")));
  const root = join(folder, "volumes");
  const reboot = (): Promise<void> => unmountAll(root);
  onTestFinished(async () => {
    await removeVolumes(root);
    await rm(folder, { recursive: true, force: true });
  });
  const open: VolumesFolder["open"] = (over = {}, parts = {}) =>
    Volumes.open(
      {
        root,
        host: "this host",
        defaultBytes: 64 * MIB,
        reserveBytes: 0,
        freezeMs: 20_000,
        overwrite: false,
        ...over,
      },
      {
        tools: parts.tools ?? linuxTools(),
        cipher: parts.cipher ?? fscryptCipher(),
        clock: systemClock(),
        log: loggerToMemory().log,
      },
      SIGNAL,
    );
  return { root, open, reboot };
}

export async function hashOf(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}

export async function viewOf(volumes: Volumes): Promise<VolumeView | undefined> {
  return (await volumes.list()).find(({ volumeId }) => volumeId === ID);
}

/** What a promise is rejected with. */
export async function failureOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  throw new Error("it did not fail");
}
