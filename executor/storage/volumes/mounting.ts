/**
 * From an image to a mounted volume and back. An image is never mounted twice, never checked while it is in use, and files
 * that somebody wrote where a volume should have been mounted are set aside: never hidden under it, never lost.
 */
import { mkdir, readdir, rename } from "node:fs/promises";
import { join } from "node:path";

import type { Clock } from "../../../common/clock.ts";
import type { Logger } from "../../../common/logger.ts";
import { AppError } from "../../../protocol/errors.ts";
import type { VolumeCipher } from "./cipher.ts";
import type { VolumePaths, VolumeRecord } from "./record.ts";
import type { VolumeTools } from "./tools.ts";

export interface MountDeps {
  readonly tools: VolumeTools;
  readonly cipher: VolumeCipher;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Mounting {
  readonly record: VolumeRecord;
  readonly paths: VolumePaths;
}

const ASIDE = "aside-";
/** The kernel lets go of a loop device a moment after its last user has. */
const DEVICE_GOES_MS = 1_000;
const POLL_MS = 20;

/** Repeating it is harmless. Throws `volume-damaged`. */
export async function mountVolume({ paths }: Mounting, deps: MountDeps, signal: AbortSignal): Promise<void> {
  const { tools } = deps;
  const [mount, loop] = await Promise.all([tools.mountAt(paths.mountpoint), tools.loopOf(paths.image)]);
  if (mount !== undefined) {
    if (mount.device === loop?.device) return;
    throw new AppError("volume-damaged", { message: `Something else is mounted at ${paths.mountpoint}.` });
  }
  await prepareMountpoint(paths, deps, signal);
  // A device that is there has a mount that we do not see: to check the image now would destroy it.
  if (loop === undefined) await tools.check(paths.image, signal);
  await tools.mount(loop?.path ?? paths.image, paths.mountpoint, signal);
}

/** Repeating it is harmless. Throws `volume-in-use` while somebody works in it. */
export async function unmountVolume({ record, paths }: Mounting, deps: MountDeps, signal: AbortSignal): Promise<void> {
  const { tools, cipher, clock, log } = deps;
  if ((await tools.mountAt(paths.mountpoint)) === undefined) return;
  if (record.encrypted) await cipher.lock(paths.data, signal);
  await tools.unmount(paths.mountpoint, signal);
  for (let waitedMs = 0; waitedMs < DEVICE_GOES_MS; waitedMs += POLL_MS) {
    if ((await tools.loopOf(paths.image)) === undefined) return;
    await clock.sleep(POLL_MS, signal);
  }
  log.warn("a process with mounts of its own still holds a volume", { volumeId: record.volumeId });
}

/** An empty folder that nobody can write to. */
async function prepareMountpoint(
  paths: VolumePaths,
  { tools, clock, log }: MountDeps,
  signal: AbortSignal,
): Promise<void> {
  const { mountpoint, dir } = paths;
  await mkdir(mountpoint, { recursive: true, mode: 0o700 });
  const names = await readdir(mountpoint);
  if (names.length > 0) {
    await tools.setImmutable(mountpoint, false, signal);
    const aside = join(dir, ASIDE + new Date(clock.now()).toISOString().replaceAll(/[:.]/g, "-"));
    await mkdir(aside, { recursive: true, mode: 0o700 });
    for (const name of names) await rename(join(mountpoint, name), join(aside, name));
    log.warn("files lay where a volume is mounted and were set aside", { mountpoint, aside });
  }
  await tools.setImmutable(mountpoint, true, signal);
}

/** Folders with what was found under mountpoints. */
export async function setAside({ dir }: VolumePaths): Promise<string[]> {
  const names = await readdir(dir);
  return names.filter((name) => name.startsWith(ASIDE)).map((name) => join(dir, name));
}
