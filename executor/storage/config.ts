/**
 * The section `storage` of executor.toml: a pod's own disk, and volumes.
 */
import { z } from "zod";

import { VolumeBytes } from "../../protocol/volume.ts";

const GIB = 2 ** 30;

export const StorageConfig = z.strictObject({
  /** Whether pods are put beside each other on a host whose engine cannot bound what each writes to its own disk. */
  shareWithoutQuota: z.boolean().default(false),
  volumes: z
    .strictObject({
      /** What all volumes and their snapshots may take together; the whole disk but its reserve when left out. */
      poolBytes: z.int().positive().optional(),
      /** The size of a volume whose pod names none. */
      defaultBytes: VolumeBytes.default(10 * GIB),
      /** How long the writing of a pod may be held up while a snapshot is taken; one that takes longer is given up. */
      freezeSeconds: z.number().positive().max(600).default(30),
      /** What is removed is overwritten with zeros first; without it, its blocks are given back and read as zeros in new volumes. */
      overwrite: z.boolean().default(false),
    })
    .prefault({}),
  backups: z
    .strictObject({
      /** No limit when left out. */
      uploadBytesPerSecond: z.int().min(1024).optional(),
      downloadBytesPerSecond: z.int().min(1024).optional(),
      /** A backup or restore in which nothing moves for so long is given up; one that moves is not, however slow. */
      inactivitySeconds: z.number().positive().default(300),
    })
    .prefault({}),
});
export type StorageConfig = z.infer<typeof StorageConfig>;
