/** A validator's challenges of a whole provider: agent, executor, engine and OpenCL, as the command line drives them. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";

import { busyboxImage } from "../../support/images.ts";
import { type Live, PORTS, startLive } from "../../support/live.ts";

const Findings = z.object({
  findings: z.array(
    z.object({ check: z.string(), level: z.string(), code: z.string().optional(), message: z.string() }),
  ),
});

let live: Live;
beforeAll(async () => {
  live = await startLive();
}, 120_000);
afterAll(() => live[Symbol.asyncDispose]());

function challenge(kind: string, ...options: string[]): Promise<unknown> {
  return live.stack.asValidator(["challenge", kind, ...options]);
}

/** What validators are told of the models, each time that it changes. */
async function watchModels(seen: unknown[], signal: AbortSignal): Promise<void> {
  try {
    for await (const { capacity } of live.client.capacityChanges({ query: { follow: "true" } }, signal)) {
      seen.push(capacity.offers[0]?.models);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

describe("a validator", () => {
  it("has all free GPUs prove at the same time that they compute, and meanwhile they are there and not free", async () => {
    const over = new AbortController();
    const seen: unknown[] = [];
    const watching = watchModels(seen, over.signal);
    const finding = await challenge("compute", "--size", "12MiB", "--openings", "16");
    const { offers } = await live.client.capacity({});
    over.abort();
    await watching;

    expect(finding).toMatchObject({ ok: true, kind: "compute", gpus: [{}, {}, {}, {}].map(() => ({ ok: true })) });
    expect(seen).toContainEqual([expect.objectContaining({ count: 4, free: 0 })]);
    expect(offers[0]?.gpus.map(({ free }) => free)).toEqual([true, true, true, true]);
  }, 120_000);

  it("has a GPU prove that it holds its memory", async () => {
    const { offers } = await live.client.capacity({});
    const [gpu] = offers[0]?.gpus ?? [];
    const options = ["--size", "4MiB", "--walkers", "1024", "--steps", "64", "--gpu", gpu?.uuid ?? ""];
    const finding = await challenge("memory", ...options);

    expect(finding).toMatchObject({ ok: true, kind: "memory", gpus: [{ uuid: gpu?.uuid, ok: true }] });
  }, 120_000);

  it("learns what the host is from two sources each", async () => {
    const found = await challenge("inventory");

    expect(found).toMatchObject({
      kind: "inventory",
      gpus: [{}, {}, {}, {}].map(() => ({ vendor: "nvidia", simulated: true, rented: false })),
      ports: [{ first: PORTS.first, count: PORTS.count }],
    });
    expect(found).toHaveProperty(
      "facts",
      expect.arrayContaining(
        ["cpus", "memory", "disk", "kernel"].map((name) => expect.objectContaining({ name, agree: true })),
      ),
    );
  });

  it("reaches ports over TCP and UDP by the way of pods, and is told of those that are not the host's", async () => {
    const ports = [`${PORTS.first + 7}/tcp`, `${PORTS.first + 7}/udp`, `${PORTS.first + 8}/tcp`];
    const found = await challenge("ports", ...ports.flatMap((port) => ["--port", port]));
    const elsewhere = challenge("ports", "--port", `${PORTS.first - 1}/tcp`);

    expect(found).toMatchObject({ ports: [{ ok: true }, { ok: true }, { ok: true }] });
    await expect(elsewhere).rejects.toThrow(/challenge-failed/);
  }, 60_000);

  it("has what was written to the disk read again, and pulls a stream", async () => {
    expect(await challenge("disk", "--size", "64MiB")).toMatchObject({ ok: true, bytes: 64 * 2 ** 20 });
    expect(await challenge("bandwidth", "--size", "64MiB")).toMatchObject({ ok: true, bytes: 64 * 2 ** 20 });
  }, 60_000);

  it("rents a pod by the way of every renter, which ends with the challenge", async () => {
    const image = await busyboxImage();
    const options = ["--image", image, "--ssh-key", `${live.keyFile}.pub`];
    const found = await challenge("pod", ...options);
    const { pods } = await live.client.listPods({ query: {} });
    await Promise.all(pods.map(({ podId }) => live.untilPhase(podId, "ended")));

    expect(found).toMatchObject({ ok: true, banner: expect.stringMatching(/^SSH-2\.0-/) });
  }, 120_000);

  it("finds what the provider's own check finds", async () => {
    const checked = await live.stack.agentCommand(["check", "--proof-size", "3MiB", "--image", await busyboxImage()]);
    const { findings } = Findings.parse(checked);

    expect(findings.filter(({ code }) => code === "proof-failed" || code === "not-tried")).toEqual([]);
    expect(findings.filter(({ level }) => level === "ok").map(({ check }) => check)).toEqual(
      expect.arrayContaining(["ports", "disk", "bandwidth", "compute", "memory", "pod"]),
    );
    expect(findings).toContainEqual(expect.objectContaining({ code: "gpu-simulated", level: "warning" }));
  }, 120_000);

  it("is refused the GPU of a pod, and what would slow the pod beside it", async () => {
    const pod = await live.rent({ image: await busyboxImage(), gpus: { count: 1 } });
    const [gpu] = pod.status.gpus;
    const compute = challenge("compute", "--size", "3MiB", "--gpu", gpu ?? "");
    await expect(compute).rejects.toThrow(/gpu-taken/);
    await expect(challenge("disk", "--size", "1MiB")).rejects.toThrow(/challenge-disturbs/);

    expect(await challenge("ports", "--port", `${PORTS.first + 9}/tcp`)).toMatchObject({ ports: [{ ok: true }] });
    await live.terminate(pod.podId);
  }, 120_000);
});
