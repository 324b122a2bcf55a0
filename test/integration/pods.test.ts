/** What the executor promises about pods, over the fake engine: quick, and with every fault at hand. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { ImageInfo } from "../../executor/docker/runtime.ts";
import { AppError } from "../../protocol/errors.ts";
import { OTHER_SSH_KEY, podId } from "../support/builders.ts";
import { leaseOf, PodsHarness, wish } from "../support/pods-harness.ts";

const IMAGE = { id: "sha256:1", user: "", entrypoint: [], command: ["bash"], stopSignal: undefined };
const POD = podId(1);
const NAME = `lium-${POD}`;

let host: PodsHarness;
beforeEach(async () => {
  host = new PodsHarness();
  host.runtime.images.set("debian:12", IMAGE);
  await host.boot();
});
afterEach(() => host.dispose());

describe("a wanted pod", () => {
  it("runs, with its stages in order and an SSH line for the renter", async () => {
    await host.pods.want(wish());

    const status = await host.untilPhase(POD, "running");

    expect(status.ssh).toMatchObject({
      host: "203.0.113.1",
      user: "root",
      hostKey: expect.stringMatching(/^ssh-ed25519 /),
    });
    const { pulled, created, started, sshReady } = status.timelineMs;
    const stages = [pulled, created, started, sshReady];
    expect(stages).toEqual(stages.toSorted((a, b) => (a ?? 0) - (b ?? 0)));
    expect(stages).not.toContain(undefined);
  });

  it("is pulled first when its image is not there", async () => {
    host.runtime.registry.set("debian:13", IMAGE);

    await host.pods.want(wish({}, { image: "debian:13" }));
    await host.untilPhase(POD, "running");

    expect(host.events.map(({ code }) => code)).toEqual(["pulling", "running"]);
  });

  it("fails with the engine's reason when its image does not exist, and leaves nothing behind", async () => {
    await host.pods.want(wish({}, { image: "debian:99" }));

    const status = await host.untilPhase(POD, "failed");

    expect(status).toMatchObject({ reason: { code: "image-not-found" }, endReason: "failed" });
    expect(host.runtime.containers.size).toBe(0);
    expect(host.events.at(-1)).toMatchObject({ code: "failed", fault: "renter" });
  });

  it("asked for twice is made once", async () => {
    await Promise.all([host.pods.want(wish()), host.pods.want(wish()), host.pods.want(wish())]);
    await host.untilPhase(POD, "running");

    expect(host.callsOf("create")).toBe(1);
  });

  it("moves to other ports when something else took the chosen ones", async () => {
    host.runtime.failNext("start", new AppError("port-busy"));

    await host.pods.want(wish());
    await host.untilPhase(POD, "running");

    const ports = host.runtime.calls.filter((call) => call.startsWith("create"));
    expect(ports).toHaveLength(2);
  });

  it("stops, starts and restarts as asked, and keeps its container", async () => {
    await host.pods.want(wish());
    await host.untilPhase(POD, "running");

    await host.pods.want(wish({ revision: 2, goal: "stopped" }));
    await host.untilPhase(POD, "stopped");
    await host.pods.want(wish({ revision: 3, runs: 2 }));
    await host.untilPhase(POD, "running");
    await host.pods.want(wish({ revision: 4, runs: 3 }));
    await host.until(
      () => (host.callsOf("start") === 3 && host.status(POD)?.phase === "running" ? true : undefined),
      "a restart",
    );

    expect([host.callsOf("create"), host.callsOf("start"), host.callsOf("stop")]).toEqual([1, 3, 2]);
  });

  it("an older wish changes nothing", async () => {
    await host.pods.want(wish({ revision: 5 }));
    await host.untilPhase(POD, "running");

    await host.pods.want(wish({ revision: 4, goal: "ended" }));

    expect(host.status(POD)).toMatchObject({ phase: "running", revision: 5 });
  });

  it("takes new keys while it runs", async () => {
    await host.pods.want(wish());
    await host.untilPhase(POD, "running");

    await host.pods.want(wish({ revision: 2 }, { sshKeys: [OTHER_SSH_KEY] }));
    const file = join(host.dir, "pods", POD, ".ssh", "authorized_keys");

    await vi.waitFor(() => expect(readFileSync(file, "utf8")).toBe(`${OTHER_SSH_KEY}\n`));
    expect(host.callsOf("start")).toBe(1);
  });
});

describe("a pull", () => {
  it("goes on through new keys and routine looks: a large image would else never arrive", async () => {
    await host.close();
    host.resyncMs = 20;
    await host.boot();
    const arrived = Promise.withResolvers<ImageInfo>();
    let pulls = 0;
    host.runtime.pull = (_reference, { signal }) => {
      pulls += 1;
      signal.addEventListener("abort", () => arrived.reject(new Error("interrupted")));
      return arrived.promise;
    };
    const looks = (): number => host.runtime.calls.filter((call) => call.startsWith("list ")).length;
    await host.pods.want(wish({}, { image: "large:1" }));
    await host.untilPhase(POD, "pulling");

    await host.pods.want(wish({ revision: 2 }, { image: "large:1", sshKeys: [OTHER_SSH_KEY] }));
    const before = looks();
    await vi.waitFor(() => expect(looks()).toBeGreaterThan(before + 2));
    host.runtime.images.set("large:1", IMAGE);
    arrived.resolve(IMAGE);

    await host.untilPhase(POD, "running");
    expect(pulls).toBe(1);
  });
});

describe("the end of a pod", () => {
  it("leaves no container, no files and no claims", async () => {
    const uuid = host.gpus[0]?.uuid;
    const gpus = uuid === undefined ? [] : [uuid];
    await host.pods.want(wish({ gpus }, { gpus: { count: 1 } }));
    await host.untilPhase(POD, "running");

    await host.pods.want(wish({ revision: 2, goal: "ended", gpus }, { gpus: { count: 1 } }));
    await host.untilPhase(POD, "ended");
    await host.pods.want(wish({ podId: podId(2), gpus }, { gpus: { count: 1 } }));

    await host.untilPhase(podId(2), "running");
    expect(host.runtime.containers.has(NAME)).toBe(false);
    expect(existsSync(join(host.dir, "pods", POD))).toBe(false);
  });

  it("comes at the end of the lease without anybody asking", async () => {
    await host.pods.want(wish({}, { lease: leaseOf(250, 0) }));
    await host.untilPhase(POD, "running");

    const status = await host.untilPhase(POD, "ended");

    expect(status.endReason).toBe("lease-ended");
    expect(host.runtime.containers.size).toBe(0);
  });

  it("interrupts a pull", async () => {
    host.runtime.registry.set("slow:1", IMAGE);
    host.runtime.pull = (_reference, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(new Error("interrupted")));
      });
    await host.pods.want(wish({}, { image: "slow:1" }));
    await host.untilPhase(POD, "pulling");

    await host.pods.want(wish({ revision: 2, goal: "ended" }, { image: "slow:1" }));

    await host.untilPhase(POD, "ended");
  });

  it("is reported again for a pod that is over, and nothing is done", async () => {
    await host.pods.want(wish());
    await host.untilPhase(POD, "running");
    await host.pods.want(wish({ revision: 2, goal: "ended" }));
    await host.untilPhase(POD, "ended");

    await host.pods.want(wish({ revision: 3, goal: "ended" }));

    expect(host.status(POD)).toMatchObject({ phase: "ended", revision: 3 });
    expect(host.callsOf("remove")).toBe(1);
  });

  it("is accepted for a pod that this host never had", async () => {
    await host.pods.want(wish({ goal: "ended" }));

    await host.untilPhase(POD, "ended");
    expect(host.callsOf("create")).toBe(0);
  });
});
