/**
 * Making the image of a volume. All is done to a draft; only when it is whole does it get the name that makes it a volume,
 * so nothing that somebody has written to can ever be formatted.
 */
import { chmod, mkdir, rename, rm } from "node:fs/promises";

import { syncPath } from "../../../common/atomic-file.ts";
import { imageBytesFor, mkfsOptions } from "./geometry.ts";
import type { MountDeps, Mounting } from "./mounting.ts";
import type { VolumeRecord } from "./record.ts";

/** Any process of the pod may write to its volume, whichever user it runs as; nobody else reaches the folder above. */
const DATA_MODE = 0o777;

/** Throws `host-full`, and `encryption-unavailable` for a key that cannot be used here. */
export async function makeImage(
  { record, paths }: Mounting,
  { tools, cipher, key }: Pick<MountDeps, "tools" | "cipher"> & { readonly key: Uint8Array | undefined },
  signal: AbortSignal,
): Promise<void> {
  const bytes = imageBytesFor(record.sizeBytes, record.madeBytes);
  await rm(paths.draft, { force: true });
  await tools.format(paths.draft, { bytes, mkfs: mkfsOptions(record.madeBytes, record.encrypted) }, signal);
  await tools.reserve(paths.draft, bytes, signal);
  await mkdir(paths.mountpoint, { recursive: true, mode: 0o700 });
  await tools.mount(paths.draft, paths.mountpoint, signal);
  try {
    await mkdir(paths.data);
    await chmod(paths.data, DATA_MODE);
    if (key !== undefined) {
      await cipher.encrypt({ mountpoint: paths.mountpoint, folder: paths.data }, key, signal);
      await cipher.lock(paths.data, signal);
    }
  } finally {
    await tools.unmount(paths.mountpoint, signal);
  }
  await nameImage({ record, paths });
}

/** From here on the volume exists. */
export async function nameImage({ paths }: Mounting): Promise<void> {
  await syncPath(paths.draft);
  await rename(paths.draft, paths.image);
  await syncPath(paths.dir);
}

/**
 * Brings image and file system to what was promised; gives the record with what it fills then. Where the kernel does not let
 * a mounted file system grow (it asks for CAP_SYS_RESOURCE), that waits until the volume is attached the next time.
 */
export async function fillPromise(
  { record, paths }: Mounting,
  { tools, log }: Pick<MountDeps, "tools" | "log">,
  signal: AbortSignal,
): Promise<VolumeRecord> {
  const filledBytes = imageBytesFor(record.sizeBytes, record.madeBytes);
  if (filledBytes <= record.filledBytes) return record;
  await tools.reserve(paths.image, filledBytes, signal);
  const loop = await tools.loopOf(paths.image);
  if (loop === undefined) {
    await tools.fillImage(paths.image, signal);
    return { ...record, filledBytes };
  }
  try {
    await tools.fillMounted(loop.path, signal);
    return { ...record, filledBytes };
  } catch (error) {
    signal.throwIfAborted();
    log.warn("a volume grows when it is attached the next time", { volumeId: record.volumeId, error });
    return record;
  }
}
