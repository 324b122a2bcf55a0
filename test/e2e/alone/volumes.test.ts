/** Volumes on real loop devices, real ext4 and the real engine: nothing that a renter stored is ever lost or shown in clear. */
import { execFileSync } from "node:child_process";
import { access, mkdir, readdir, readFile, rm, truncate, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { linuxTools } from "../../../executor/storage/volumes/linux-tools.ts";
import { pathsOf } from "../../../executor/storage/volumes/record.ts";
import { podId } from "../../support/builders.ts";
import { container, outputOf } from "../../support/volumes/container.ts";
import { failureOf, hashOf, ID, KEY, MIB, MINE, SIGNAL, viewOf, volumesFolder } from "../../support/volumes/harness.ts";

const OTHER_POD = podId(2);
/** The kernel's "required key not available"; Node has no name for it. */
const ENOKEY = 126;

describe("demand 34: what is in a volume", () => {
  it("demand 34: a stale mountpoint directory is left behind, the pod is started: it comes up with the marker file", async () => {
    const folder = await volumesFolder();
    const before = await folder.open();
    const path = await before.attach(MINE, SIGNAL);
    await writeFile(join(path, "marker"), "from before the reboot");
    const pod = await container({ "/data": path }, "cat /data/marker; ls /data");
    await folder.reboot();
    const bare = join(path, "..");
    execFileSync("chattr", ["-i", bare]);
    await mkdir(path);
    await writeFile(join(path, "stray"), "written into the bare directory");

    const after = await folder.open();
    await after.attach(MINE, SIGNAL);
    const printed = await outputOf(pod);

    const aside = (await viewOf(after))?.setAside ?? [];
    expect(printed).toContain("from before the reboot");
    expect(printed).not.toContain("stray");
    expect(aside).toHaveLength(1);
    expect(await readFile(join(aside[0] ?? "", "data/stray"), "utf8")).toBe("written into the bare directory");
  });

  it("demand 34: after a reboot `docker start` alone finds no folder, and nobody can put one there", async () => {
    const folder = await volumesFolder();
    const path = await (await folder.open()).attach(MINE, SIGNAL);
    const pod = await container({ "/data": path }, "echo lost > /data/file");
    await folder.reboot();

    const started = await failureOf(pod.start());
    const made = await failureOf(mkdir(path));

    expect(started).toMatchObject({ message: expect.stringContaining("bind source path does not exist") });
    expect(made).toMatchObject({ code: "EPERM" });
  });

  it("demand 34: encrypted, a volume stays closed without its key and with a wrong one, and nothing of it is on disk in clear", async () => {
    const folder = await volumesFolder();
    const volumes = await folder.open();
    const path = await volumes.attach({ ...MINE, key: KEY }, SIGNAL);
    await writeFile(join(path, "diary of a renter"), "nobody may read this line".repeat(10_000));
    await volumes.detach(MINE.podId, SIGNAL);
    await folder.reboot();

    const again = await folder.open();
    const without = await failureOf(again.attach(MINE, SIGNAL));
    const wrong = await failureOf(again.attach({ ...MINE, key: Buffer.alloc(32, 1) }, SIGNAL));
    const isMounted = await linuxTools().mountAt(join(path, ".."));
    const image = await readFile(pathsOf(folder.root, ID).image);
    await again.attach({ ...MINE, key: KEY }, SIGNAL);

    expect(without).toMatchObject({ code: "volume-key-missing" });
    expect(wrong).toMatchObject({ code: "volume-key-wrong" });
    expect(isMounted).toBeUndefined();
    expect(image.includes("nobody may read")).toBe(false);
    expect(image.includes("diary of")).toBe(false);
    expect(image.includes(KEY)).toBe(false);
    expect(await readFile(join(path, "diary of a renter"), "utf8")).toContain("nobody may read this line");
  });

  it("demand 34: without the key the kernel shows scrambled names and takes no new file", async () => {
    const folder = await volumesFolder();
    const volumes = await folder.open();
    const path = await volumes.attach({ ...MINE, key: KEY }, SIGNAL);
    await writeFile(join(path, "secret name"), "x");
    await volumes.detach(MINE.podId, SIGNAL);
    const { image, mountpoint } = pathsOf(folder.root, ID);

    await linuxTools().mount(image, mountpoint, SIGNAL);
    const names = await readdir(path);
    const written = await failureOf(writeFile(join(path, "in clear"), "x"));

    expect(names).toHaveLength(1);
    expect(names).not.toContain("secret name");
    expect(written).toMatchObject({ errno: -ENOKEY });
  });

  it("a key for a volume that was made without is refused: who gives one counts on it", async () => {
    const volumes = await (await volumesFolder()).open();
    await volumes.create(MINE, SIGNAL);

    const attached = await failureOf(volumes.attach({ ...MINE, key: KEY }, SIGNAL));

    expect(attached).toMatchObject({ code: "volume-key-wrong" });
  });

  it("demand 34: a file with any signature, or with a single byte, is never formatted", async () => {
    const { root } = await volumesFolder();
    await mkdir(root);
    const makers: Record<string, (file: string) => unknown> = {
      ext4: (file) => execFileSync("mkfs.ext4", ["-q", "-F", file]),
      btrfs: (file) => execFileSync("mkfs.btrfs", ["-q", "-f", file], { stdio: "ignore" }),
      swap: (file) => execFileSync("mkswap", [file], { stdio: "ignore" }),
      "one byte": (file) => writeFile(file, "x", { flag: "r+" }),
      "a byte at the end": (file) =>
        execFileSync("dd", [`of=${file}`, "bs=1", `seek=${128 * MIB - 1}`, "conv=notrunc"], {
          input: "x",
          stdio: ["pipe", "ignore", "ignore"],
        }),
    };
    for (const [name, make] of Object.entries(makers)) {
      const file = join(root, name);
      await writeFile(file, "");
      await truncate(file, 128 * MIB);
      await make(file);
      const before = await hashOf(file);

      const formatted = await failureOf(linuxTools().format(file, { bytes: 128 * MIB, mkfs: ["-q", "-F"] }, SIGNAL));

      const isSame = (await hashOf(file)) === before;
      expect({ name, isSame, formatted }).toMatchObject({ isSame: true, formatted: { code: "volume-not-empty" } });
    }
  });

  it("demand 34: a volume whose image is damaged or gone is reported, and nothing takes its place", async () => {
    const folder = await volumesFolder();
    const { image } = pathsOf(folder.root, ID);
    const first = await folder.open();
    await first.attach(MINE, SIGNAL);
    await first.detach(MINE.podId, SIGNAL);
    await writeFile(image, "no file system");

    const damaged = await failureOf((await folder.open()).attach(MINE, SIGNAL));
    const text = await readFile(image, "utf8");
    await unlink(image);
    const reopened = await folder.open();
    const gone = await failureOf(reopened.attach(MINE, SIGNAL));

    expect(text).toBe("no file system");
    expect([damaged, gone]).toMatchObject([{ code: "volume-damaged" }, { code: "volume-damaged" }]);
    expect(await viewOf(reopened)).toMatchObject({ problem: "its disk.img is gone" });
    expect(await failureOf(access(image))).toMatchObject({ code: "ENOENT" });
  });

  it("a record that is damaged is read from its copy; with both gone the volume is reported and left alone", async () => {
    const folder = await volumesFolder();
    const { dir, image } = pathsOf(folder.root, ID);
    await (await folder.open()).create(MINE, SIGNAL);
    const before = await hashOf(image);

    await writeFile(join(dir, "volume.json"), "{");
    const fromCopy = await viewOf(await folder.open());
    await rm(join(dir, "volume.copy.json"));
    const unreadable = await folder.open();

    expect(fromCopy).toMatchObject({ name: "data" });
    expect(await viewOf(unreadable)).toMatchObject({ problem: "its record, volume.json, cannot be read" });
    expect(unreadable.bookedBytes()).toBeGreaterThan(64 * MIB);
    expect(await failureOf(unreadable.attach(MINE, SIGNAL))).toMatchObject({ code: "volume-damaged" });
    expect(await hashOf(image)).toBe(before);
  });

  it("one pod has it at a time; the next gets the same data when that one has let go", async () => {
    const volumes = await (await volumesFolder()).open();
    const path = await volumes.attach(MINE, SIGNAL);
    await writeFile(join(path, "marker"), "mine");

    const other = await failureOf(volumes.attach({ ...MINE, podId: OTHER_POD }, SIGNAL));
    const removed = await failureOf(volumes.remove(ID, SIGNAL));
    await volumes.detach(OTHER_POD, SIGNAL);
    const holders = volumes.holders();
    await volumes.detach(MINE.podId, SIGNAL);
    await volumes.detach(MINE.podId, SIGNAL);
    await volumes.attach({ ...MINE, podId: OTHER_POD }, SIGNAL);

    expect(other).toMatchObject({ code: "volume-in-use", details: { podId: MINE.podId } });
    expect(removed).toMatchObject({ code: "volume-in-use" });
    expect(holders).toEqual([MINE.podId]);
    expect(await readFile(join(path, "marker"), "utf8")).toBe("mine");
  });

  it("what is removed is gone with its snapshots, and its name begins anew", async () => {
    const folder = await volumesFolder();
    const volumes = await folder.open({ overwrite: true });
    const path = await volumes.attach(MINE, SIGNAL);
    await writeFile(join(path, "marker"), "old");
    await volumes.copies.snapshot(ID, SIGNAL);
    await volumes.detach(MINE.podId, SIGNAL);

    await volumes.remove(ID, SIGNAL);
    const left = await readdir(folder.root);
    await volumes.attach(MINE, SIGNAL);

    expect(left).toEqual([]);
    expect(await readdir(path)).toEqual([]);
    expect(await volumes.copies.snapshots(ID)).toEqual([]);
  });
});
