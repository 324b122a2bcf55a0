/** What cannot be protected does not run; each pod has a network of its own; a full host takes no pods. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { AppError } from "../../protocol/errors.ts";
import { podId } from "../support/builders.ts";
import { PodsHarness, wish } from "../support/pods-harness.ts";

const IMAGE = { id: "sha256:1", user: "", entrypoint: [], command: ["bash"], stopSignal: undefined };
const POD = podId(1);

let host: PodsHarness;
beforeEach(async () => {
  host = new PodsHarness();
  host.runtime.images.set("debian:12", IMAGE);
  await host.boot();
});
afterEach(() => host.dispose());

function networkOf(n: number): string {
  return host.runtime.containers.get(`lium-${podId(n)}`)?.spec.HostConfig.NetworkMode ?? "none";
}

describe("a host that cannot protect", () => {
  it("starts no pod and makes nothing for it", async () => {
    host.isolation.failure = new AppError("isolation-unavailable");

    await host.pods.want(wish());

    expect(await host.untilPhase(POD, "failed")).toMatchObject({ reason: { code: "isolation-unavailable" } });
    expect(host.callsOf("create")).toBe(0);
  });

  it("does not start a pod again that ran before, until it can", async () => {
    host.pace = { ...host.pace, restart: { firstDelayMs: 1, maxDelayMs: 1 } };
    await host.close();
    await host.boot();
    await host.pods.want(wish({}, { command: ["work"] }));
    await host.untilPhase(POD, "running");

    host.isolation.failure = new AppError("isolation-unavailable");
    host.runtime.exit(`lium-${POD}`, 1);
    await host.until(
      () => (host.status(POD)?.reason?.code === "isolation-unavailable" ? true : undefined),
      "the reason",
    );
    expect(host.callsOf("start")).toBe(1);
    host.isolation.failure = undefined;

    await host.untilPhase(POD, "running");
  });
});

describe("networks", () => {
  it("are each pod's own", async () => {
    for (const n of [1, 2, 3]) await host.pods.want(wish({ podId: podId(n) }));
    for (const n of [1, 2, 3]) await host.untilPhase(podId(n), "running");

    const networks = [1, 2, 3].map(networkOf);
    expect(new Set(networks).size).toBe(3);
    for (const network of networks) expect(network).toMatch(/^lium-net-10-213-0-\d+$/);
  });

  it("that turn out to be somebody else's are left alone, and the pod gets another", async () => {
    const first = host.isolation.networks.choose([]);
    host.isolation.engine.networks.clear();
    host.isolation.engine.add({ name: "office", subnets: [first?.subnet ?? ""] });

    await host.pods.want(wish());
    await host.untilPhase(POD, "running");

    expect(networkOf(1)).toMatch(/^lium-net-/);
    expect(networkOf(1)).not.toBe(first?.name);
  });

  it("of pods that are over are used again", async () => {
    await host.pods.want(wish());
    await host.untilPhase(POD, "running");
    const before = networkOf(1);
    await host.pods.want(wish({ revision: 2, goal: "ended" }));
    await host.untilPhase(POD, "ended");

    await host.pods.want(wish({ podId: podId(2) }));
    await host.untilPhase(podId(2), "running");

    expect(networkOf(2)).toBe(before);
  });
});

it("a host whose disk is nearly full takes no pod, and keeps those that it has", async () => {
  await host.pods.want(wish());
  await host.untilPhase(POD, "running");
  host.pressure = { code: "disk-low", message: "96 % full" };

  await host.pods.want(wish({ podId: podId(2) }));

  expect(await host.untilPhase(podId(2), "failed")).toMatchObject({ reason: { code: "disk-low" } });
  expect(host.status(POD)?.phase).toBe("running");
});

it("a host that cannot limit a pod's disk takes one pod at a time", async () => {
  host.shared = false;
  await host.pods.want(wish());
  await host.untilPhase(POD, "running");

  await host.pods.want(wish({ podId: podId(2) }));
  expect(await host.untilPhase(podId(2), "failed")).toMatchObject({ reason: { code: "quota-unavailable" } });
  await host.pods.want(wish({ revision: 2, goal: "ended" }));
  await host.untilPhase(POD, "ended");
  await host.pods.want(wish({ podId: podId(3) }));

  await host.untilPhase(podId(3), "running");
});
