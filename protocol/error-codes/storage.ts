/**
 * Refusals about disks: a pod's own, volumes, and their backups. See protocol/errors.ts.
 */
import type { ErrorEntry } from "./entry.ts";

export const STORAGE_ERRORS = {
  "quota-unavailable": {
    status: 409,
    impact: "The engine cannot bound what a pod writes to its own disk, so this host takes one pod at a time.",
    remedy:
      "Put the engine's data on XFS mounted with pquota, or on btrfs; or set storage.shareWithoutQuota in executor.toml.",
  },
  "volume-not-found": { status: 404, impact: "Nothing was changed.", remedy: "List the volumes to see their ids." },
  "volume-in-use": {
    status: 409,
    impact: "The volume was left as it is: somebody works in it.",
    remedy: "End the pod that the details name, or wait until it has ended.",
  },
  "volume-not-empty": {
    status: 409,
    impact: "Nothing was formatted or overwritten: there may be data.",
    remedy: "Use another name, or look at what is there and remove it yourself.",
  },
  "volume-damaged": {
    status: 500,
    impact: "The volume is not mounted; nothing in it was changed.",
    remedy: "See the details; repair a copy of its disk.img with e2fsck, or restore a backup.",
  },
  "volume-key-missing": {
    status: 409,
    impact: "The volume is encrypted and stays closed; its pod is not started.",
    remedy: "Give the volume's key, sealed to this host's sealingKey.",
  },
  "volume-key-wrong": {
    status: 409,
    impact: "The volume stays closed; its pod is not started.",
    remedy: "Give the key that the volume was made with; none for a volume that was made without.",
  },
  "encryption-unavailable": {
    status: 503,
    impact: "No encrypted volume can be used on this host; nothing was stored in clear.",
    remedy: "Install fscrypt and run a kernel with CONFIG_FS_ENCRYPTION.",
  },
  "backup-failed": {
    status: 502,
    impact: "The backup or restore did not finish; the volume is as it was.",
    remedy: "See what restic says in the details, then do it again: it goes on where it was.",
  },
} as const satisfies Record<string, ErrorEntry>;
