/** What a pod may write to its own disk: bounded by an engine that can, and said to be unbounded by one that cannot. */
import { readFile } from "node:fs/promises";

import Docker from "dockerode";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { createDockerRuntime } from "../../executor/docker/dockerode-runtime.ts";
import { mountOver, parseMounts } from "../../executor/storage/mounts.ts";
import { type RootQuota, rootQuota, storageOpt } from "../../executor/storage/quota.ts";
import { busyboxImage, TEST_LABEL } from "../support/images.ts";
import { BtrfsEngine } from "../support/volumes/btrfs-engine.ts";
import { MIB, SIGNAL } from "../support/volumes/harness.ts";

async function quotaOf(socketPath: string): Promise<RootQuota> {
  const { storage } = await createDockerRuntime({ socketPath }).info(SIGNAL);
  const mounts = parseMounts(await readFile("/proc/self/mountinfo", "utf8"));
  return rootQuota(storage, mountOver(storage.rootDir, mounts)?.options ?? []);
}

describe("demand 14: a pod's own disk", () => {
  let engine: BtrfsEngine;
  let imageBytes: number;
  let quota: RootQuota;

  beforeAll(async () => {
    const image = await busyboxImage();
    engine = await BtrfsEngine.start(2_048 * MIB);
    await engine.load(image);
    imageBytes = (await engine.docker.getImage(image).inspect()).Size;
    quota = await quotaOf(engine.socketPath);
  });
  afterAll(() => engine[Symbol.asyncDispose]());

  async function pod(diskBytes: number): Promise<Docker.Container> {
    const made = await engine.docker.createContainer({
      Image: await busyboxImage(),
      Cmd: ["/bin/busybox", "sleep", "1000"],
      HostConfig: { NetworkMode: "none", StorageOpt: { ...storageOpt(quota, { diskBytes, imageBytes }) } },
    });
    await made.start();
    return made;
  }

  /** Writes until it can no more; what it said and how much it wrote. */
  async function fill(made: Docker.Container): Promise<{ said: string; bytes: number }> {
    const script = `dd if=/dev/zero of=/big bs=64k; stat -c "size %s" /big`;
    const exec = await made.exec({
      Cmd: ["/bin/busybox", "sh", "-c", script],
      AttachStdout: true,
      AttachStderr: true,
    });
    const stream = await exec.start({});
    let said = "";
    for await (const chunk of stream) said += String(chunk);
    return { said, bytes: Number(/size (\d+)/.exec(said)?.[1]) };
  }

  it("demand 14: dd past the limit in a pod is refused at limit +/- 1 %, and a neighbour can still write all of its own", async () => {
    const limit = 300 * MIB;
    const [mine, theirs] = [await pod(limit), await pod(limit)];

    const first = await fill(mine);
    const second = await fill(theirs);

    expect(first.said).toMatch(/Disk quota exceeded|No space left on device/);
    for (const { bytes } of [first, second]) expect(Math.abs(bytes - limit) / limit).toBeLessThan(0.01);
  });

  it("demand 14: on ext4 with overlay2 it cannot be bounded, and the reason is said", async () => {
    const unavailable = rootQuota({ driver: "overlay2", backingFilesystem: "extfs", rootDir: "/var/lib/docker" }, [
      "rw",
    ]);

    expect(unavailable).toEqual({ unavailable: expect.stringContaining("XFS alone, and it lies on ext4") });
  });

  it("the engine of this machine refuses a limit where we say that it cannot keep one", async () => {
    const socketPath = "/var/run/docker.sock";
    const here = await quotaOf(socketPath);
    const docker = new Docker({ socketPath });
    const limited = { Image: await busyboxImage(), Labels: TEST_LABEL, HostConfig: { StorageOpt: { size: "1g" } } };

    const made = await docker.createContainer(limited).catch(() => undefined);
    await made?.remove();

    expect("unavailable" in here).toBe(made === undefined);
  });
});
