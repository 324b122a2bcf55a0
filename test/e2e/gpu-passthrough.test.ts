/**
 * GPUs of all three vendors on the real engine, by CDI and by device files that stand for devices which are not there: each
 * pod sees exactly its own, and what it cannot see keeps it from counting as running.
 */
import { randomUUID } from "node:crypto";

import Docker from "dockerode";
import { afterEach, describe, expect, it } from "vitest";

import { createDockerRuntime } from "../../executor/docker/dockerode-runtime.ts";
import type { Passthrough } from "../../executor/gpus/passthrough/passthrough.ts";
import type { Accelerator } from "../../protocol/accelerator.ts";
import { GivenPod, type GivenPodInput, passthroughOf } from "../support/gpus/given-pod.ts";
import { accelerator, given, gpuUuid } from "../support/gpus/giving.ts";
import { MadeNodes, NODE_GROUP } from "../support/gpus/made-nodes.ts";
import { busyboxImage, nonRootImage, TEST_LABEL } from "../support/images.ts";

const signal = AbortSignal.timeout(600_000);
const runtime = createDockerRuntime({ socketPath: "/var/run/docker.sock" });
const docker = new Docker();
const leftovers: (() => unknown)[] = [];

afterEach(async () => {
  for (const remove of leftovers.splice(0).toReversed()) await remove();
});

function madeNodes(): MadeNodes {
  const nodes = new MadeNodes();
  leftovers.push(() => nodes.remove());
  return nodes;
}

async function started(input: Omit<GivenPodInput, "image"> & { readonly image?: string }): Promise<GivenPod> {
  const pod = new GivenPod({ image: await busyboxImage(), ...input });
  leftovers.push(() => pod.remove());
  await pod.start();
  return pod;
}

/** Two devices with a file each, named in a specification by their UUIDs, and one that they share. */
async function nvidiaHost(): Promise<{ passthrough: Passthrough; gpus: Accelerator[]; nodes: string[] }> {
  const made = madeNodes();
  const uuids = [gpuUuid(`GPU-${randomUUID()}`), gpuUuid(`GPU-${randomUUID()}`)];
  const shared = { path: "/dev/nvidiactl", hostPath: await made.node("nvidiactl") };
  const own = await Promise.all(
    uuids.map(async (uuid, n) => ({
      uuid,
      node: { path: `/dev/nvidia${n}`, hostPath: await made.node(`nvidia${n}`) },
    })),
  );
  made.spec(own.map(({ uuid, node }) => ({ uuid, nodes: [node, shared] })));
  const gpus = uuids.map((uuid, n) => accelerator({ uuid, vendor: "nvidia", index: n, nodes: [`nvidia${n}`] }));
  return { passthrough: passthroughOf(gpus, "/"), gpus, nodes: own.map(({ node }) => node.path) };
}

/** Cards with a display and a render node each, and what is shared. */
async function drmHost(vendor: "amd" | "intel", shared: readonly string[]) {
  const made = madeNodes();
  for (const node of shared) await made.node(node);
  const gpus = await Promise.all(
    [0, 1].map(async (n) => {
      const nodes = [`dri/card${n}`, `dri/renderD${128 + n}`];
      for (const node of nodes) await made.node(node);
      return accelerator({ uuid: gpuUuid(`${vendor}-${n}`), vendor, nodes });
    }),
  );
  return { passthrough: passthroughOf(gpus, made.root), gpus };
}

describe("NVIDIA's devices by CDI", () => {
  it("are seen by their own pod alone, one each and both by a pod that has both", async () => {
    const { passthrough, gpus, nodes } = await nvidiaHost();
    const uuids = gpus.map(({ uuid }) => uuid);

    const pods = await Promise.all(uuids.map((uuid) => started({ gpus: [uuid], passthrough })));
    const both = await started({ gpus: uuids, passthrough });

    for (const [n, pod] of pods.entries()) {
      expect(await pod.ownNodes()).toEqual([nodes[n], "/dev/nvidiactl"]);
      expect(pod.turn.record.given?.seenStartMs).toBe(pod.turn.seen.container?.startedAtMs);
    }
    expect(await both.ownNodes()).toEqual([...nodes, "/dev/nvidiactl"]);
    const [first] = pods;
    expect((await first?.sh("/.lium/k/bin/busybox mknod /dev/other c 10 234"))?.stderr).toMatch(/not permitted/);
  });

  it("are refused when their specification names a file that is gone, and the pod says what to do", async () => {
    const uuid = gpuUuid(`GPU-${randomUUID()}`);
    const made = madeNodes();
    made.spec([{ uuid, nodes: [{ path: "/dev/nvidia0", hostPath: "/dev/lium-none" }] }]);
    const passthrough = passthroughOf([accelerator({ uuid, vendor: "nvidia", nodes: ["nvidia0"] })], "/");

    await expect(started({ gpus: [uuid], passthrough })).rejects.toMatchObject({
      code: "gpu-not-given",
      message: expect.stringMatching(/lium-none.*nvidia-ctk cdi generate/),
    });
  });

  it("are known to be held by a container of somebody else, as its inspection shows", async () => {
    const { passthrough, gpus } = await nvidiaHost();
    leftovers.push(() => passthrough.close());
    await passthrough.start();
    const [taken, free] = gpus.map(({ uuid }) => uuid);
    const container = await docker.createContainer({
      Image: await busyboxImage(),
      Labels: TEST_LABEL,
      HostConfig: { DeviceRequests: [{ Driver: "cdi", DeviceIDs: [`nvidia.com/gpu=${taken}`] }] },
    });
    leftovers.push(() => container.remove({ force: true }));

    const seen = await runtime.inspect(container.id, signal);
    passthrough.hold([{ name: "theirs", ours: false, devices: seen?.devices }], true);

    expect([...passthrough.blocked]).toEqual([[taken, "theirs"]]);
    expect(passthrough.offered().map(({ uuid }) => uuid)).toEqual([free]);
    expect((await runtime.list(undefined, signal)).map(({ id }) => id)).toContain(container.id);
  });
});

describe("AMD's devices by their files", () => {
  it("are seen by their own pod alone, with seccomp in force, and usable by the image's own user", async () => {
    const { passthrough, gpus } = await drmHost("amd", ["kfd"]);
    const image = await nonRootImage();
    const script = `id -G; for node in /dev/kfd /dev/dri/*; do : <>$node && echo opened $node; done; sleep 3600`;
    const pods = await Promise.all(
      gpus.map(({ uuid }) => started({ image, gpus: [uuid], passthrough, spec: { command: ["sh", "-c", script] } })),
    );

    for (const [n, pod] of pods.entries()) {
      const nodes = [`/dev/dri/card${n}`, `/dev/dri/renderD${128 + n}`, "/dev/kfd"];
      expect(await pod.ownNodes()).toEqual(nodes);
      await expect.poll(() => pod.log()).toContain(`opened /dev/dri/renderD${128 + n}`);
      const lines = (await pod.log()).trim().split("\n");
      expect(lines[0]?.split(" ")).toContain(String(NODE_GROUP));
      expect(lines.slice(1).toSorted()).toEqual(nodes.map((node) => `opened ${node}`));
      expect((await pod.sh("/.lium/k/bin/busybox grep ^Seccomp: /proc/1/status")).stdout).toMatch(/\t2\n/);
    }
  });
});

describe("Intel's devices by their files", () => {
  it("are seen by their own pod alone", async () => {
    const { passthrough, gpus } = await drmHost("intel", []);

    const pods = await Promise.all(gpus.map(({ uuid }) => started({ gpus: [uuid], passthrough })));

    for (const [n, pod] of pods.entries()) {
      expect(await pod.ownNodes()).toEqual([`/dev/dri/card${n}`, `/dev/dri/renderD${128 + n}`]);
    }
  });
});

describe("a pod that is looked into after its start", () => {
  const file = (PathOnHost: string, PathInContainer: string) =>
    ({ PathOnHost, PathInContainer, CgroupPermissions: "rwm" }) as const;

  it.each([
    ["lacks a file", "/dev/dri/renderD128", /cannot open \/dev\/dri\/renderD128/],
    ["has a file of another device", undefined, /not its own/],
  ])("and %s does not count as running, and says why", async (_what, missing, words) => {
    const made = madeNodes();
    const [own, other] = [await made.node("dri/card0"), await made.node("dri/card1")];
    const files = [file(own, "/dev/dri/card0"), ...(missing === undefined ? [file(other, "/dev/dri/card1")] : [])];
    const nodes = ["/dev/dri/card0", ...(missing === undefined ? [] : [missing])];

    const pod = started({ gpus: [gpuUuid("GPU-x")], passthrough: { give: async () => given({ files, nodes }) } });

    await expect(pod).rejects.toMatchObject({ code: "gpu-not-given", message: expect.stringMatching(words) });
  });
});

describe("a choice of devices in the environment", () => {
  it("of an image or a spec is taken away in every pod, also in one without GPUs", async () => {
    const template = await docker.createContainer({ Image: await busyboxImage(), Labels: TEST_LABEL });
    leftovers.push(() => template.remove({ force: true }));
    const changes = ["NVIDIA_VISIBLE_DEVICES=all", "NVIDIA_IMEX_CHANNELS=all", "CUDA_VERSION=12.4"].map(
      (env) => `ENV ${env}`,
    );
    const repo = `lium-test/choosing-${randomUUID()}`;
    await template.commit({ repo, changes: changes.join("\n") });
    leftovers.push(() => docker.getImage(repo).remove({ force: true }));

    const env = { AMD_VISIBLE_DEVICES: "all", CUDA_VISIBLE_DEVICES: "0" };
    const pod = new GivenPod({ image: repo, gpus: [], passthrough: { give: async () => undefined }, spec: { env } });
    leftovers.push(() => pod.remove());
    // There is nothing to see in a pod without GPUs, and nobody looks.
    await expect(pod.start()).rejects.toMatchObject({ code: "internal" });

    const { stdout } = await pod.sh("/.lium/k/bin/busybox env");
    const seen = stdout.split("\n").filter((line) => /VISIBLE|IMEX|CUDA/.test(line));
    expect(seen.toSorted()).toEqual(["CUDA_VERSION=12.4", "CUDA_VISIBLE_DEVICES=0", "NVIDIA_VISIBLE_DEVICES=void"]);
  });
});
