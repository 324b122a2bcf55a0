/** A pod that nobody could log in to since it was made, over the fake engine. */
import { rmSync } from "node:fs";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { podId } from "../support/builders.ts";
import { PodsHarness, wish } from "../support/pods-harness.ts";

const IMAGE = { id: "sha256:1", user: "", entrypoint: [], command: ["bash"], stopSignal: undefined };
const POD = podId(1);

let host: PodsHarness;
beforeEach(() => {
  host = new PodsHarness();
  host.runtime.images.set("debian:12", IMAGE);
  host.pace = { ...host.pace, probeEveryMs: 40 };
});
afterEach(() => host.dispose());

describe("a pod that nobody could log in to", () => {
  it("is made anew, once, and what it holds stays its own", async () => {
    host.sshUp = false;
    await host.boot();
    await host.pods.want(wish());
    const first = await host.untilPhase(POD, "degraded");
    await host.until(() => (host.callsOf("create") === 2 ? true : undefined), "a second container");
    await host.until(() => (host.callsOf("exec") === 2 ? true : undefined), "SSH of the second to be started anew");
    await host.untilProbes(20);
    host.sshUp = true;
    const usable = await host.untilPhase(POD, "running");

    expect([host.callsOf("create"), host.callsOf("start")]).toEqual([2, 2]);
    expect(usable.ssh?.port).toBe(first.ssh?.port);
    expect(usable.gpus).toEqual(first.gpus);
  });

  it("is made anew with another port where the engine keeps the first", async () => {
    host.sshUp = false;
    await host.boot();
    await host.pods.want(wish());
    const { ssh } = await host.untilPhase(POD, "degraded");
    host.runtime.busyPorts.add(String(ssh?.port));
    await host.until(() => (host.callsOf("start") === 3 ? true : undefined), "a start after the one that was refused");
    host.sshUp = true;
    const usable = await host.untilPhase(POD, "running");

    expect(usable.ssh?.port).not.toBe(ssh?.port);
  });

  it("is the only kind that is made anew: none that somebody could log in to, and none that was rebuilt", async () => {
    await host.boot();
    await host.pods.want(wish());
    await host.untilPhase(POD, "running");
    host.sshUp = false;
    await host.until(() => (host.callsOf("exec") === 1 ? true : undefined), "SSH to be started anew");
    await host.untilProbes(20);
    await host.close();
    rmSync(join(host.dir, "ledger.db"));
    await host.boot();
    await host.pods.want(wish({ revision: 2 }));
    await host.until(() => (host.callsOf("exec") === 2 ? true : undefined), "SSH to be started anew again");
    await host.untilProbes(20);

    expect([host.callsOf("create"), host.callsOf("remove")]).toEqual([1, 0]);
  });
});
