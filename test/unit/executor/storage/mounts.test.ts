/** The table of mounts, with options. */
import { expect, it } from "vitest";

import { mountAt, mountOver, parseMounts } from "../../../../executor/storage/mounts.ts";

const TABLE = `22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,errors=remount-ro
30 22 0:25 / /var/lib/docker rw,relatime shared:2 master:3 - xfs /dev/sdb rw,attr2,prjquota
31 22 7:3 / /srv/a\\040folder rw,nosuid,nodev - ext4 /dev/loop3 rw
32 22 7:4 / /srv/a\\040folder ro - ext4 /dev/loop4 ro
a line that is none
`;

it("a mount has its own options and those of its file system", () => {
  expect(mountOver("/var/lib/docker", parseMounts(TABLE))).toEqual({
    path: "/var/lib/docker",
    device: "0:25",
    type: "xfs",
    options: ["rw", "relatime", "rw", "attr2", "prjquota"],
  });
});

it("a path lies on the mount with the longest path above it, and a name that only begins alike is no such path", () => {
  const mounts = parseMounts(TABLE);

  expect(mountOver("/var/lib/docker/overlay2/x", mounts)?.device).toBe("0:25");
  expect(mountOver("/var/lib/docker-other", mounts)?.device).toBe("254:0");
});

it("of several mounts on one place the last one is what is seen; blanks in names are read", () => {
  const mounts = parseMounts(TABLE);

  expect(mountAt("/srv/a folder", mounts)).toMatchObject({ device: "7:4", options: ["ro", "ro"] });
  expect(mountAt("/srv", mounts)).toBeUndefined();
});

it("a table that cannot be read has no mounts", () => {
  expect(parseMounts("")).toEqual([]);
  expect(mountOver("/", [])).toBeUndefined();
});
