/**
 * Volumes as a start finds them on disk: what was half made or half removed goes, what was held up flows again, and what
 * cannot be understood is left exactly as it is, with the reason.
 */
import { access, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";

import { syncPath } from "../../../common/atomic-file.ts";
import { toAppError } from "../../../protocol/errors.ts";
import { VolumeId } from "../../../protocol/volume.ts";
import type { MountDeps } from "./mounting.ts";
import { pathsOf, readRecord, type VolumePaths, type VolumeRecord } from "./record.ts";
import { removeDrafts } from "./snapshots.ts";

const GONE = ".gone-";
const PATIENCE_MS = 2_000;

export interface Found {
  readonly volumeId: VolumeId;
  readonly record: VolumeRecord | undefined;
  /** Why it cannot be used. */
  readonly problem: string | undefined;
}

/** Throws only what the folder itself throws. */
export async function recoverVolumes(root: string, deps: MountDeps, signal: AbortSignal): Promise<Found[]> {
  const names = await readdir(root);
  await Promise.all(names.filter((name) => name.startsWith(GONE)).map((name) => clear(join(root, name), deps, signal)));
  const ids = names.flatMap((name) => VolumeId.safeParse(name).data ?? []);
  const found = await Promise.all(ids.map((volumeId) => recover(pathsOf(root, volumeId), volumeId, deps, signal)));
  return found.filter((volume) => volume !== undefined);
}

/** Out of sight in one step, then gone; a crash between the two leaves it to the next start. */
export async function removeFolder(root: string, paths: VolumePaths, deps: MountDeps, signal: AbortSignal) {
  const gone = join(root, GONE + paths.dir.split("/").at(-1));
  await clear(gone, deps, signal);
  await rename(paths.dir, gone);
  await syncPath(root);
  await clear(gone, deps, signal);
}

async function recover(
  paths: VolumePaths,
  volumeId: VolumeId,
  deps: MountDeps,
  signal: AbortSignal,
): Promise<Found | undefined> {
  const { tools, log } = deps;
  const record = await readRecord(paths.dir, volumeId);
  const found = (problem?: string): Found => ({ volumeId, record, problem });
  try {
    const isThere = await exists(paths.image);
    const neverUsed = record === undefined ? !(await holdsAnything(paths)) : record.usedSince === undefined;
    if (!isThere && neverUsed) {
      await removeUnfinished(paths, deps, signal);
      return undefined;
    }
    if ((await tools.mountAt(paths.mountpoint)) !== undefined) await thaw(paths, deps, signal);
    if (record === undefined) return found("its record, volume.json, cannot be read");
    if (!isThere) return found("its disk.img is gone");
    await removeDrafts(paths);
    return found();
  } catch (error) {
    const problem = toAppError(error).message;
    log.warn("a volume could not be looked after", { volumeId, error });
    return found(problem);
  }
}

/** A disk that hangs holds up no start: it is waited for a moment, and tried on. */
async function thaw({ mountpoint }: VolumePaths, { tools, clock, log }: MountDeps, signal: AbortSignal): Promise<void> {
  const done = new AbortController();
  const thawed = tools
    .thaw(mountpoint, signal)
    .catch((error: unknown) => log.warn("writing to a volume may be held up", { mountpoint, error }))
    .finally(() => done.abort());
  await Promise.race([thawed, clock.sleep(PATIENCE_MS, AbortSignal.any([signal, done.signal])).catch(() => undefined)]);
}

/** The draft of an image may still be mounted. */
async function removeUnfinished(paths: VolumePaths, deps: MountDeps, signal: AbortSignal): Promise<void> {
  if ((await deps.tools.mountAt(paths.mountpoint)) !== undefined) await deps.tools.unmount(paths.mountpoint, signal);
  await clear(paths.dir, deps, signal);
}

/** Without a record, anything but a draft may be data. */
async function holdsAnything(paths: VolumePaths): Promise<boolean> {
  const ours = [paths.draft, paths.mountpoint].map((path) => path.split("/").at(-1));
  const names = await readdir(paths.dir);
  return names.some((name) => !ours.includes(name) && !name.startsWith(".volume"));
}

/** Never what hangs in a mount: a folder with one is left. */
async function clear(dir: string, { tools }: MountDeps, signal: AbortSignal): Promise<void> {
  if (!(await exists(dir))) return;
  const mounts = await readFile("/proc/self/mountinfo", "utf8");
  if (mounts.includes(` ${dir}/`)) throw new Error(`Something is mounted in ${dir}.`);
  if (await exists(join(dir, "mnt"))) await tools.setImmutable(join(dir, "mnt"), false, signal);
  await rm(dir, { recursive: true, force: true });
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
