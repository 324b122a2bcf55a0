/**
 * Whether the engine can bound what a pod writes to its own disk, and by which number. Pure.
 *
 * The engine is asked by StorageOpt.size, which only some of its drivers keep; see docs/storage.md. ext4 is never enough:
 * overlay2 counts by XFS project quotas alone.
 */
import type { StorageInfo } from "../docker/runtime.ts";

export type RootQuota =
  | {
      readonly enforce: "storage-opt";
      /** Whether the image counts into the size: btrfs counts all that a container's tree refers to. */
      readonly countsImage: boolean;
    }
  | { readonly unavailable: string };

/** `mountOptions`: of the file system that holds the engine's root. */
export function rootQuota({ driver, backingFilesystem }: StorageInfo, mountOptions: readonly string[]): RootQuota {
  switch (driver) {
    case "btrfs":
      return { enforce: "storage-opt", countsImage: true };
    case "zfs":
      return { enforce: "storage-opt", countsImage: false };
    case "overlay2":
      return overlayQuota(backingFilesystem, mountOptions);
    case "":
      return { unavailable: "the engine does not say which storage driver it uses" };
    default:
      return { unavailable: `the storage driver ${driver} cannot bound a container's disk` };
  }
}

function overlayQuota(backingFilesystem: string, mountOptions: readonly string[]): RootQuota {
  if (backingFilesystem !== "xfs") {
    const file = backingFilesystem === "" ? "an unknown file system" : backingFilesystem.replace("extfs", "ext4");
    return { unavailable: `the driver overlay2 bounds a container's disk on XFS alone, and it lies on ${file}` };
  }
  const counts = mountOptions.some((option) => option === "pquota" || option === "prjquota");
  if (!counts) return { unavailable: "the engine's XFS is mounted without pquota" };
  return { enforce: "storage-opt", countsImage: false };
}

/** HostConfig.StorageOpt for a pod's own disk; undefined where the engine cannot bound it. */
export function storageOpt(
  quota: RootQuota,
  { diskBytes, imageBytes }: { readonly diskBytes: number; readonly imageBytes: number },
): { readonly size: string } | undefined {
  if ("unavailable" in quota) return undefined;
  return { size: String(diskBytes + (quota.countsImage ? imageBytes : 0)) };
}
