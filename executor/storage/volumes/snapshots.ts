/**
 * Snapshots: copies of an image as it was at one instant. While a mounted volume is copied, writing to it is held up; the
 * copy gets its name when it is whole and on disk.
 */
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";

import { syncPath } from "../../../common/atomic-file.ts";
import { AppError } from "../../../protocol/errors.ts";
import { SnapshotId, type SnapshotView } from "../../../protocol/volume.ts";
import type { Mounting } from "./mounting.ts";
import type { VolumePaths } from "./record.ts";
import type { VolumeTools } from "./tools.ts";

export interface SnapshotDeps {
  readonly tools: VolumeTools;
  readonly freezeMs: number;
  /** Stays free on the disk. */
  readonly reserveBytes: number;
}

const DRAFT = ".part";
const SUFFIX = ".img";
const BLOCK = 512;
/** Its name in the repository of backups, so that one backup finds what the last one stored. */
const BACKUP_IMAGE = "disk.img";

export function snapshotIdAt(nowMs: number): SnapshotId {
  return SnapshotId.parse(`snap-${new Date(nowMs).toISOString().replaceAll(/[-:.]/g, "")}`);
}

/** Throws `host-full`, and `deadline-exceeded` when writing would be held up for too long. */
export async function takeSnapshot(
  { paths }: Mounting,
  path: string,
  { tools, freezeMs, reserveBytes }: SnapshotDeps,
  signal: AbortSignal,
): Promise<void> {
  const folder = dirname(path);
  const mount = await tools.mountAt(paths.mountpoint);
  const asked = await tools.usedBytes(paths.image, mount?.path, signal);
  const free = (await tools.freeBytes(paths.dir)) - reserveBytes;
  if (asked > free) {
    const message = "The disk of this host has no room for a snapshot.";
    throw new AppError("host-full", { message, details: { resource: "diskBytes", asked, free } });
  }
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const draft = path + DRAFT;
  try {
    if (mount === undefined) await tools.copy(paths.image, draft, signal);
    else await copyFrozen({ paths, draft, freezeMs }, tools, signal);
    await syncPath(draft);
    await rename(draft, path);
    await syncPath(folder);
  } finally {
    await rm(draft, { force: true });
  }
}

async function copyFrozen(
  { paths, draft, freezeMs }: { readonly paths: VolumePaths; readonly draft: string; readonly freezeMs: number },
  tools: VolumeTools,
  signal: AbortSignal,
): Promise<void> {
  try {
    await tools.copyFrozen(paths.mountpoint, { from: paths.image, to: draft, freezeMs }, signal);
  } catch (error) {
    // Also after an abort: nobody else would let the pod go on.
    await tools.thaw(paths.mountpoint, new AbortController().signal);
    throw error;
  }
}

/** The oldest first. */
export async function listSnapshots(paths: VolumePaths): Promise<SnapshotView[]> {
  const ids = (await namesIn(paths.snapshots)).flatMap(
    (name) => SnapshotId.safeParse(name.slice(0, -SUFFIX.length)).data ?? [],
  );
  return Promise.all(
    ids.toSorted().map(async (snapshotId) => {
      const { blocks } = await stat(snapshotPath(paths, snapshotId));
      return { snapshotId, createdAt: instantOf(snapshotId), diskBytes: blocks * BLOCK };
    }),
  );
}

export function backupPath({ backup }: VolumePaths): string {
  return join(backup, BACKUP_IMAGE);
}

export function snapshotPath(paths: VolumePaths, snapshotId: SnapshotId): string {
  return join(paths.snapshots, snapshotId + SUFFIX);
}

/** What a crash left half made. */
export async function removeDrafts(paths: VolumePaths): Promise<void> {
  await rm(paths.draft, { force: true });
  await rm(paths.backup, { recursive: true, force: true });
  const drafts = (await namesIn(paths.snapshots)).filter((name) => name.endsWith(DRAFT));
  await Promise.all(drafts.map((name) => rm(join(paths.snapshots, name), { force: true })));
}

function instantOf(snapshotId: SnapshotId): string {
  const [, year, month, day, hour, minute, second, ms] =
    /^snap-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})Z$/.exec(snapshotId) ?? [];
  return `${year}-${month}-${day}T${hour}:${minute}:${second}.${ms}Z`;
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
}
