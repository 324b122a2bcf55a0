/**
 * A GPU is never in two containers: not when 200 renters ask for eight at once while agent and executor are killed, and not
 * when the engine cannot say what a container has.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { recordFromLabels } from "../../executor/docker/labels.ts";
import { AppError } from "../../protocol/errors.ts";
import type { GpuUuid } from "../../protocol/ids.ts";
import { podId } from "../support/builders.ts";
import { ClaimsWorld } from "../support/gpus/claims-world.ts";
import { cdiSetup, inventoryOf, nvidiaGpu } from "../support/gpus/giving.ts";
import { PodsHarness, wish } from "../support/pods-harness.ts";

const GPUS = 8;
const IMAGE = { id: "sha256:1", user: "", entrypoint: [], command: [], stopSignal: undefined };

let host: PodsHarness;

beforeEach(() => {
  host = new PodsHarness();
  host.inventory = inventoryOf(Array.from({ length: GPUS }, (_, n) => nvidiaGpu(n)));
  host.setup = cdiSetup(GPUS);
  host.runtime.images.set("debian:12", IMAGE);
});

afterEach(() => host.dispose());

/** The GPUs in containers that have not ended, by what the engine was asked to give them. */
function inContainers(): string[] {
  return [...host.runtime.containers.values()]
    .filter(({ seen }) => seen.state !== "exited")
    .flatMap(({ spec }) => spec.HostConfig.DeviceRequests?.flatMap(({ DeviceIDs }) => DeviceIDs) ?? []);
}

describe("demand 5: a GPU is given to one pod at a time", () => {
  it("demand 5: 200 requests at once for 8 GPUs, agent and executor killed, never put one into two containers", async () => {
    const world = new ClaimsWorld(host);
    const twice: string[][] = [];
    const create = host.runtime.create.bind(host.runtime);
    let most = 0;
    host.runtime.create = async (spec) => {
      const id = await create(spec);
      const held = inContainers();
      most = Math.max(most, held.length);
      if (new Set(held).size !== held.length) twice.push(held);
      return id;
    };
    await world.start();

    const killing = world.killing();
    await Promise.all(Array.from({ length: 200 }, (_, n) => world.renter(n)));
    world.over = true;
    await killing;

    expect(twice).toEqual([]);
    expect(most).toBe(GPUS);
    expect(inContainers()).toEqual([]);
    await world.stop();
  }, 120_000);
});

describe("demand 5: what cannot be inspected is not free", () => {
  function gpu(n: number): GpuUuid {
    const uuid = host.gpus[n]?.uuid;
    if (uuid === undefined) throw new Error(`there is no GPU ${n}`);
    return uuid;
  }

  async function asked(id: number, uuid: GpuUuid): Promise<string | undefined> {
    await host.pods.want(wish({ podId: podId(id), gpus: [uuid] }, { gpus: { count: 1 } }));
    const { phase, reason } = await host.untilPhase(podId(id), "running", "failed");
    return phase === "running" ? phase : reason?.code;
  }

  /** A pod with the first GPU, whose record no ledger and no label tells any more. */
  async function lostPod(): Promise<void> {
    await host.boot();
    expect(await asked(1, gpu(0))).toBe("running");
    const container = host.runtime.containers.get(`lium-${podId(1)}`);
    expect(recordFromLabels(container?.seen.labels ?? {})?.wanted.gpus).toEqual([gpu(0)]);
    await host.close();
    for (const suffix of ["", "-wal", "-shm"]) rmSync(join(host.dir, `ledger.db${suffix}`), { force: true });
    if (container !== undefined) container.seen = { ...container.seen, labels: { "lium.pod": podId(1) } };
  }

  it("demand 5: with inspect failing for one pod, none of the GPUs that it may have is free", async () => {
    await lostPod();
    host.runtime.inspect = async () => {
      throw new AppError("engine-error");
    };
    await host.boot();

    expect(host.passthrough.offered()).toEqual([]);
    expect(await asked(2, gpu(0))).toBe("gpu-taken");
    expect(await asked(3, gpu(1))).toBe("gpu-taken");
  });

  it("demand 5: a pod whose record is lost holds the GPUs that its inspection shows, and no others", async () => {
    await lostPod();
    await host.boot();

    expect(host.passthrough.offered().map(({ uuid }) => uuid)).not.toContain(gpu(0));
    expect(await asked(2, gpu(0))).toBe("gpu-taken");
    expect(await asked(3, gpu(1))).toBe("running");
  });

  it("demand 5: a container of somebody else holds its GPU until it ends", async () => {
    await host.boot();
    expect(await asked(1, gpu(0))).toBe("running");
    const spec = host.runtime.containers.get(`lium-${podId(1)}`)?.spec;
    if (spec === undefined) throw new Error("there is no container");
    const DeviceRequests = [{ Driver: "cdi" as const, DeviceIDs: ["nvidia.com/gpu=GPU-3"] }];
    const theirs = {
      ...spec,
      name: "theirs",
      Labels: {},
      HostConfig: { ...spec.HostConfig, PortBindings: {}, DeviceRequests },
    };
    await host.close();
    await host.runtime.create(theirs);
    await host.runtime.start("theirs");

    await host.boot();
    expect(await asked(2, gpu(3))).toBe("gpu-taken");
    expect(await asked(3, gpu(4))).toBe("running");
    await host.close();
    host.runtime.exit("theirs", 0);
    await host.boot();
    expect(await asked(4, gpu(3))).toBe("running");
  });
});

describe("a pod without all its GPUs", () => {
  it("is never running: it fails before anybody could use it, and says what is missing", async () => {
    host.runtime.onExec = () => 1;
    await host.boot();
    const [first] = host.gpus;
    if (first === undefined) throw new Error("there is no GPU");

    await host.pods.want(wish({ gpus: [first.uuid] }, { gpus: { count: 1 } }));
    const { reason } = await host.untilPhase(podId(1), "failed");

    expect(reason).toMatchObject({ code: "gpu-not-given", message: expect.stringMatching(/\/dev\/nvidia0/) });
    expect(host.events.map(({ code }) => code)).not.toContain("running");
    expect(host.runtime.containers.size).toBe(0);
  });

  it("is degraded and unbilled when it lost them in a later start, and runs again once they are back", async () => {
    host.pace = { ...host.pace, probeEveryMs: 50 };
    await host.boot();
    const [first] = host.gpus;
    if (first === undefined) throw new Error("there is no GPU");
    const wanted = wish({ gpus: [first.uuid] }, { gpus: { count: 1 } });
    await host.pods.want(wanted);
    await host.untilPhase(podId(1), "running");

    host.runtime.onExec = () => 121;
    await host.pods.want({ ...wanted, revision: 2, runs: 2 });
    const lost = await host.untilPhase(podId(1), "degraded");
    host.runtime.onExec = () => 0;
    const back = await host.untilPhase(podId(1), "running");

    expect(lost).toMatchObject({ reason: { code: "gpu-not-given" }, unbilledSince: expect.any(String) });
    expect(back.unbilledSince).toBeUndefined();
  });

  it("is looked into again when the executor died before it could see the GPUs", async () => {
    await host.boot();
    const [first] = host.gpus;
    if (first === undefined) throw new Error("there is no GPU");
    host.runtime.onExec = () => {
      host.crash();
      throw new Error("killed");
    };
    await host.pods.want(wish({ gpus: [first.uuid] }, { gpus: { count: 1 } }));
    await expect.poll(() => host.runtime.calls.filter((call) => call.startsWith("exec")).length).toBe(1);
    host.runtime.onExec = () => 0;

    await host.boot();
    await host.untilPhase(podId(1), "running");

    expect(host.callsOf("exec")).toBe(2);
    expect(host.callsOf("create")).toBe(1);
  });
});

describe("a pod without real GPUs", () => {
  it.each([0, 1])("with %d made-up ones asks the engine for nothing more", async (count) => {
    await host.dispose();
    host = new PodsHarness();
    host.runtime.images.set("debian:12", IMAGE);
    await host.boot();
    const gpus = host.gpus.slice(0, count).map(({ uuid }) => uuid);

    await host.pods.want(wish({ gpus }, { gpus: { count } }));
    await host.untilPhase(podId(1), "running");

    const verbs = host.runtime.calls.map((call) => call.split(" ")[0]);
    expect(verbs.filter((verb) => verb === "exec" || verb === "info")).toEqual([]);
    expect(verbs.filter((verb) => verb === "inspect")).toHaveLength(1);
  });
});
