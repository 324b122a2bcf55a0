/** Which engines can bound a pod's own disk, and by which number. */
import { describe, expect, it } from "vitest";

import { rootQuota, storageOpt } from "../../../../executor/storage/quota.ts";

const rootDir = "/var/lib/docker";
const ON_XFS = { driver: "overlay2", backingFilesystem: "xfs", rootDir };

describe("whether the engine can bound a container's disk", () => {
  it.each([["pquota"], ["prjquota"]])("overlay2 on XFS can, when that is mounted with %s", (option) => {
    expect(rootQuota(ON_XFS, ["rw", option])).toEqual({ enforce: "storage-opt", countsImage: false });
  });

  it("overlay2 on XFS without project quotas cannot", () => {
    expect(rootQuota(ON_XFS, ["rw", "noquota"])).toEqual({ unavailable: expect.stringContaining("without pquota") });
  });

  it.each([
    ["extfs", "ext4"],
    ["btrfs", "btrfs"],
    ["", "an unknown file system"],
  ])("overlay2 on %s cannot, and says so, whatever the mount's options claim", (backingFilesystem, said) => {
    const quota = rootQuota({ ...ON_XFS, backingFilesystem }, ["rw", "prjquota"]);

    expect(quota).toEqual({ unavailable: expect.stringContaining(said) });
  });

  it.each([["vfs"], ["overlayfs"], ["fuse-overlayfs"], [""]])("the driver %s is not trusted to", (driver) => {
    expect(rootQuota({ driver, backingFilesystem: "xfs", rootDir }, ["prjquota"])).toHaveProperty("unavailable");
  });
});

describe("the size that the engine is asked for", () => {
  const sizes = { diskBytes: 1_000, imageBytes: 300 };

  it("counts the image in where the file system does", () => {
    const btrfs = rootQuota({ driver: "btrfs", backingFilesystem: "", rootDir }, []);
    const zfs = rootQuota({ driver: "zfs", backingFilesystem: "", rootDir }, []);

    expect(storageOpt(btrfs, sizes)).toEqual({ size: "1300" });
    expect(storageOpt(zfs, sizes)).toEqual({ size: "1000" });
  });

  it("is left out where the engine would refuse it", () => {
    expect(storageOpt({ unavailable: "because" }, sizes)).toBeUndefined();
  });
});
