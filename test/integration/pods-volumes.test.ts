/** A pod's volume is there before its container, and let go when nothing of the pod is left. */
import { afterEach, beforeEach, expect, it } from "vitest";

import { AppError } from "../../protocol/errors.ts";
import { podId } from "../support/builders.ts";
import { PodsHarness, wish } from "../support/pods-harness.ts";

const IMAGE = { id: "sha256:1", user: "", entrypoint: [], command: ["bash"], stopSignal: undefined };
const POD = podId(1);
const VOLUME = { volume: { name: "data", mountPath: "/data" } };

let host: PodsHarness;
beforeEach(async () => {
  host = new PodsHarness();
  host.runtime.images.set("debian:12", IMAGE);
  await host.boot();
});
afterEach(() => host.dispose());

it("is attached before the container is made, shown to it, and let go at the end", async () => {
  await host.pods.want(wish({}, VOLUME));
  await host.untilPhase(POD, "running");
  const mounts = host.runtime.containers.get(`lium-${POD}`)?.spec.HostConfig.Mounts ?? [];

  expect(mounts).toContainEqual(expect.objectContaining({ Type: "bind", Target: "/data", ReadOnly: false }));
  expect([...host.volumes.attached.values()]).toEqual([POD]);
  await host.pods.want(wish({ revision: 2, goal: "ended" }, VOLUME));
  await host.untilPhase(POD, "ended");
  expect(host.volumes.attached.size).toBe(0);
});

it("of another pod fails a new one, with the reason", async () => {
  await host.pods.want(wish({}, VOLUME));
  await host.untilPhase(POD, "running");

  await host.pods.want(wish({ podId: podId(2) }, VOLUME));

  expect(await host.untilPhase(podId(2), "failed")).toMatchObject({ reason: { code: "volume-in-use" } });
  expect([...host.volumes.attached.values()]).toEqual([POD]);
});

it("that cannot be mounted keeps a pod down that ran before, until it can", async () => {
  host.pace = { ...host.pace, restart: { firstDelayMs: 1, maxDelayMs: 1 } };
  await host.close();
  await host.boot();
  await host.pods.want(wish({}, { ...VOLUME, command: ["work"] }));
  await host.untilPhase(POD, "running");

  host.volumes.failure = new AppError("volume-key-missing");
  host.runtime.exit(`lium-${POD}`, 1);
  await host.until(() => (host.status(POD)?.reason?.code === "volume-key-missing" ? true : undefined), "the reason");
  expect(host.callsOf("start")).toBe(1);
  host.volumes.failure = undefined;

  await host.untilPhase(POD, "running");
});

it("that is new and larger than what is free fails the pod", async () => {
  host.volumes.bytesNeeded = 2 ** 50;

  await host.pods.want(wish({}, VOLUME));

  expect(await host.untilPhase(POD, "failed")).toMatchObject({ reason: { code: "host-full" } });
  expect(host.volumes.calls).not.toContain(`attach data ${POD}`);
});
