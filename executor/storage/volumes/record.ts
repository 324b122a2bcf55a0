/**
 * What is known of a volume, and where its files lie. The record is written twice, so that one that is damaged can be read
 * from the other; a volume exists when its disk.img does, which gets its name last.
 */
import { createHash } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { z } from "zod";

import { syncPath, writeFileAtomic } from "../../../common/atomic-file.ts";
import { Hotkey, Instant, PodId } from "../../../protocol/ids.ts";
import { VolumeId, VolumeName } from "../../../protocol/volume.ts";

export const VolumeRecord = z.strictObject({
  version: z.literal(1),
  volumeId: VolumeId,
  owner: Hotkey,
  name: VolumeName,
  /** The executor's public key. */
  host: z.string(),
  /** What was promised. */
  sizeBytes: z.int(),
  /** The size that it was made with. */
  madeBytes: z.int(),
  /** How much of its image the file system fills; less than the promise needs while the volume grows. */
  filledBytes: z.int(),
  encrypted: z.boolean(),
  createdAt: Instant,
  /** When it was first given to a pod; a volume that never was holds nothing of anybody. */
  usedSince: Instant.optional(),
  /** The pod that it is attached to. */
  podId: PodId.optional(),
});
export type VolumeRecord = z.infer<typeof VolumeRecord>;

export interface VolumePaths {
  readonly dir: string;
  readonly image: string;
  /** An image in the making: never mounted for a pod, and worthless after a crash. */
  readonly draft: string;
  readonly mountpoint: string;
  /** The folder in the volume that pods get. */
  readonly data: string;
  readonly snapshots: string;
  /** A snapshot for the time of a backup. */
  readonly backup: string;
}

/** One volume for each owner and name, whoever asks and however often. */
export function volumeIdOf(owner: Hotkey, name: VolumeName): VolumeId {
  const hash = createHash("sha256").update(`${owner}\0${name}`).digest("hex");
  return VolumeId.parse(`vol-${hash.slice(0, 32)}`);
}

export function pathsOf(root: string, volumeId: VolumeId): VolumePaths {
  const dir = join(root, volumeId);
  const mountpoint = join(dir, "mnt");
  return {
    dir,
    image: join(dir, "disk.img"),
    draft: join(dir, "disk.img.new"),
    mountpoint,
    data: join(mountpoint, "data"),
    snapshots: join(dir, "snapshots"),
    backup: join(dir, "backup"),
  };
}

const FILES = ["volume.json", "volume.copy.json"] as const;

/** Throws the file system's own errors. */
export async function writeRecord(dir: string, record: VolumeRecord): Promise<void> {
  const made = await mkdir(dir, { recursive: true, mode: 0o700 });
  if (made !== undefined) await syncPath(join(dir, ".."));
  for (const file of FILES) await writeFileAtomic(join(dir, file), `${JSON.stringify(record)}\n`, 0o600);
}

/** Undefined when neither file can be read as the record of this volume. */
export async function readRecord(dir: string, volumeId: VolumeId): Promise<VolumeRecord | undefined> {
  for (const file of FILES) {
    try {
      const record = VolumeRecord.parse(JSON.parse(await readFile(join(dir, file), "utf8")));
      if (record.volumeId === volumeId) return record;
    } catch {
      // The other file is the answer to a damaged one.
    }
  }
  return undefined;
}
