/**
 * The words for volumes: data that outlives the pod it is mounted in. A volume belongs to its owner and is found by its name.
 *
 * Sizes are what can be stored in it, in bytes. An encrypted volume is opened by the same secret that it was made with.
 */
import { z } from "zod";

import { Hotkey, Instant, PodId } from "./ids.ts";
import { Sealed } from "./sealed.ts";

const MIB = 2 ** 20;

export const VolumeName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,39}$/);
export type VolumeName = z.infer<typeof VolumeName>;

/** At most 16 TiB. */
export const VolumeBytes = z
  .int()
  .min(64 * MIB)
  .max(16 * MIB * MIB);

/** The secret of an encrypted volume: any bytes. */
export const VOLUME_KEY_BYTES = { min: 16, max: 256 } as const;

/** What a pod says about its volume besides where it is mounted. */
export const VolumeRequest = z.strictObject({
  name: VolumeName,
  /** For a volume that is yet to be made; one that is smaller grows, one that is larger stays. The host's default when left out. */
  sizeBytes: VolumeBytes.optional(),
  /** Encrypts a volume that is yet to be made; opens one that was made so. The secret is 16 to 256 bytes of any kind. */
  key: Sealed.optional(),
});
export type VolumeRequest = z.infer<typeof VolumeRequest>;

/** Made of owner and name, so that a name can never stand for two volumes of one owner. */
export const VolumeId = z.string().regex(/^vol-[0-9a-f]{32}$/);
export type VolumeId = z.infer<typeof VolumeId>;

export const SnapshotId = z.string().regex(/^snap-\d{8}T\d{9}Z$/);
export type SnapshotId = z.infer<typeof SnapshotId>;

export const VolumeView = z.strictObject({
  volumeId: VolumeId,
  /** Absent, like `name`, while its record cannot be read. */
  owner: Hotkey.optional(),
  name: VolumeName.optional(),
  sizeBytes: z.int(),
  /** Whether it gets that size only when it is attached the next time. */
  growing: z.boolean(),
  /** What it and its snapshots take of the host's disk. */
  bookedBytes: z.int(),
  encrypted: z.boolean(),
  createdAt: Instant.optional(),
  /** The pod that it is attached to. */
  podId: PodId.optional(),
  snapshots: z.int(),
  /** Folders with files that were found where the volume should have been mounted. */
  setAside: z.array(z.string()),
  /** Why it cannot be used. */
  problem: z.string().optional(),
});
export type VolumeView = z.infer<typeof VolumeView>;

export const SnapshotView = z.strictObject({ snapshotId: SnapshotId, createdAt: Instant, diskBytes: z.int() });
export type SnapshotView = z.infer<typeof SnapshotView>;

/** Where backups are kept, as restic names it: a path, `s3:https://host/bucket/path`, `sftp:user@host:/path` or `rest:https://...`. */
const BackupRepository = z
  .string()
  .max(1024)
  .regex(/^(?:\/|s3:(?:https?:\/\/)?[A-Za-z0-9]|sftp:(?:\/\/)?[A-Za-z0-9]|rest:https?:\/\/)[\x21-\x7e]*$/);

export const BackupTarget = z.strictObject({
  repository: BackupRepository,
  /** What the backups are encrypted with; without it they are lost. */
  password: z.string().min(1).max(1024),
  s3: z
    .strictObject({
      accessKeyId: z.string().min(1).max(1024),
      secretAccessKey: z.string().min(1).max(1024),
      sessionToken: z.string().min(1).max(4096).optional(),
      region: z.string().min(1).max(64).optional(),
    })
    .optional(),
});
export type BackupTarget = z.infer<typeof BackupTarget>;

/** A backup in its repository. */
export const BackupId = z.string().regex(/^[0-9a-f]{8,64}$/);
export type BackupId = z.infer<typeof BackupId>;

export const BackupProgress = z.strictObject({ doneBytes: z.int(), totalBytes: z.int() });
export type BackupProgress = z.infer<typeof BackupProgress>;
