/** What a volume may take of the disk: not more than was promised, and not less. */

import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { imageBytesFor, mkfsOptions } from "../../executor/storage/volumes/geometry.ts";
import { linuxTools } from "../../executor/storage/volumes/linux-tools.ts";
import { pathsOf } from "../../executor/storage/volumes/record.ts";
import { podId } from "../support/builders.ts";
import { container, outputOf } from "../support/volumes/container.ts";
import { failureOf, ID, MIB, MINE, SIGNAL, viewOf, volumesFolder } from "../support/volumes/harness.ts";

const OTHER_POD = podId(2);

describe("demand 14: what a volume may take", () => {
  it("demand 14: dd past the limit in a pod ends with ENOSPC at limit +/- 1 %, and a neighbour's free space is unchanged", async () => {
    const volumes = await (await volumesFolder()).open();
    const limit = 300 * MIB;
    const mine = await volumes.attach({ ...MINE, sizeBytes: limit }, SIGNAL);
    const theirs = await volumes.attach({ ...MINE, name: "theirs", podId: OTHER_POD, sizeBytes: limit }, SIGNAL);
    const script = `df -k /theirs; dd if=/dev/zero of=/mine/big bs=64k; stat -c "size %s" /mine/big; df -k /theirs`;

    const printed = await outputOf(await container({ "/mine": mine, "/theirs": theirs }, script));

    const size = Number(/size (\d+)/.exec(printed)?.[1]);
    const neighbour = [...printed.matchAll(/^\S*\/dev\/loop\S+ +(\d+ +\d+ +\d+)/gm)].map(([, numbers]) => numbers);
    expect(printed).toContain("No space left on device");
    expect(Math.abs(size - limit) / limit).toBeLessThan(0.01);
    expect(neighbour).toHaveLength(2);
    expect(neighbour[0]).toBe(neighbour[1]);
  });

  it("demand 14: what was promised is set aside on the disk, and more than there is is refused", async () => {
    const folder = await volumesFolder();
    const volumes = await folder.open({ poolBytes: 200 * MIB });
    await volumes.create({ ...MINE, sizeBytes: 100 * MIB }, SIGNAL);

    const { blocks, size } = await stat(pathsOf(folder.root, ID).image);
    const second = await failureOf(volumes.create({ ...MINE, name: "second", sizeBytes: 100 * MIB }, SIGNAL));
    const all = await failureOf((await folder.open()).create({ ...MINE, name: "third", sizeBytes: 2 ** 43 }, SIGNAL));

    expect(blocks * 512).toBeGreaterThanOrEqual(size);
    expect(volumes.bookedBytes()).toBe(size);
    expect([second, all]).toMatchObject([{ code: "host-full" }, { code: "host-full" }]);
    expect(await readdir(folder.root)).toEqual([ID]);
  });

  it("demand 14: a volume grows with all that is in it, and what it offers stays within 1 %", async () => {
    const folder = await volumesFolder();
    const volumes = await folder.open();
    const path = await volumes.attach({ ...MINE, sizeBytes: 64 * MIB }, SIGNAL);
    await writeFile(join(path, "marker"), "before");
    await volumes.detach(MINE.podId, SIGNAL);

    await volumes.grow(ID, 1_000 * MIB, SIGNAL);
    const again = await volumes.attach({ ...MINE, sizeBytes: 2_000 * MIB }, SIGNAL);
    const free = await linuxTools().freeBytes(again);
    const shrunk = await failureOf(volumes.grow(ID, 64 * MIB, SIGNAL));

    expect(await readFile(join(again, "marker"), "utf8")).toBe("before");
    expect(free / (2_000 * MIB)).toBeGreaterThan(0.99);
    expect(free / (2_000 * MIB)).toBeLessThan(1.01);
    expect(shrunk).toMatchObject({ code: "invalid-request" });
  });

  it("a volume that a pod works in grows at once, or when it is attached the next time where the kernel forbids it", async () => {
    const volumes = await (await volumesFolder()).open();
    const path = await volumes.attach(MINE, SIGNAL);
    await writeFile(join(path, "marker"), "before");

    await volumes.grow(ID, 200 * MIB, SIGNAL);
    const growing = (await viewOf(volumes))?.growing;
    const freeNow = await linuxTools().freeBytes(path);
    await volumes.detach(MINE.podId, SIGNAL);
    await volumes.attach(MINE, SIGNAL);

    expect(freeNow > 190 * MIB).toBe(growing === false);
    expect(await viewOf(volumes)).toMatchObject({ growing: false, sizeBytes: 200 * MIB });
    expect(await linuxTools().freeBytes(path)).toBeGreaterThan(198 * MIB);
    expect(await readFile(join(path, "marker"), "utf8")).toBe("before");
  });

  it("demand 14: what mkfs.ext4 and the kernel leave free is what was promised, and at most 1 % more, for every size", async () => {
    const { root } = await volumesFolder();
    const mountpoint = join(root, "mnt");
    await mkdir(mountpoint, { recursive: true });
    const sizes = [64, 65, 100, 127, 128, 511, 512, 1_000, 4_096, 10_240, 32_768, 102_400, 1_048_576, 16_000_000];
    for (const bytes of sizes.map((mebibytes) => mebibytes * MIB)) {
      const image = join(root, "image");
      const tools = linuxTools();

      await tools.format(image, { bytes: imageBytesFor(bytes, bytes), mkfs: mkfsOptions(bytes, true) }, SIGNAL);
      await tools.mount(image, mountpoint, SIGNAL);
      const excess = (await tools.freeBytes(mountpoint)) / bytes - 1;
      await tools.unmount(mountpoint, SIGNAL);
      await rm(image);

      expect({ bytes, isEnough: excess >= 0, isTooMuch: excess > 0.01 }).toEqual({
        bytes,
        isEnough: true,
        isTooMuch: false,
      });
    }
  });
});
