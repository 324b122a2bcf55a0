/** What keeps a pod usable, over the fake engine: SSH that is lost, main processes that end, an engine that hangs. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { podId } from "../support/builders.ts";
import { leaseOf, PodsHarness, wish } from "../support/pods-harness.ts";

const IMAGE = { id: "sha256:1", user: "", entrypoint: [], command: ["bash"], stopSignal: undefined };
const POD = podId(1);
const NAME = `lium-${POD}`;

let host: PodsHarness;
beforeEach(() => {
  host = new PodsHarness();
  host.runtime.images.set("debian:12", IMAGE);
});
afterEach(() => host.dispose());

function execs(): number {
  return host.callsOf("exec");
}

describe("SSH that is lost while the pod runs", () => {
  beforeEach(() => {
    host.pace = { ...host.pace, probeEveryMs: 40 };
  });

  it("makes the pod degraded and unbilled from the first failed probe, and is brought back once", async () => {
    await host.boot();
    await host.pods.want(wish());
    await host.untilPhase(POD, "running");
    host.runtime.onExec = () => {
      host.sshUp = true;
    };

    const lostAtMs = Date.now();
    host.sshUp = false;
    const degraded = await host.untilPhase(POD, "degraded");
    const back = await host.untilPhase(POD, "running");

    expect(degraded.reason).toMatchObject({ code: "ssh-not-ready" });
    const unbilledSince = Date.parse(degraded.unbilledSince ?? "");
    expect(unbilledSince).toBeGreaterThanOrEqual(lostAtMs);
    expect(unbilledSince).toBeLessThan(Date.parse(degraded.since));
    expect([back.reason, back.unbilledSince]).toEqual([undefined, undefined]);
    expect(execs()).toBe(1);
    expect(host.callsOf("start")).toBe(1);
    expect(host.events.map(({ code }) => code)).toEqual(["running", "degraded", "ssh-restarted", "running"]);
  });

  it("is not brought back a second time for the same start, not even after the executor restarted", async () => {
    await host.boot();
    await host.pods.want(wish());
    await host.untilPhase(POD, "running");
    host.sshUp = false;
    const degraded = await host.until(() => {
      const status = host.status(POD);
      return status?.reason?.details?.["restarted"] === true ? status : undefined;
    }, "one attempt to bring SSH back");

    await host.close();
    await host.boot();
    expect(host.status(POD)).toMatchObject({ phase: "degraded", unbilledSince: degraded.unbilledSince });
    host.sshUp = true;
    await host.untilPhase(POD, "running");

    expect(execs()).toBe(1);
  });

  it("one probe that fails is no outage", async () => {
    await host.boot();
    await host.pods.want(wish());
    await host.untilPhase(POD, "running");
    host.failProbes(1);

    await host.untilProbes(6);

    expect(host.events.map(({ code }) => code)).toEqual(["running"]);
  });
});

describe("a main process that ends by itself", () => {
  const quick = { firstDelayMs: 20, maxDelayMs: 60 };

  it("with an error is started again, each time later, and is called a loop from the third time on", async () => {
    host.pace = { ...host.pace, restart: quick };
    await host.boot();
    await host.pods.want(wish({}, { command: ["work"] }));
    for (const tries of [1, 2, 3]) {
      await host.untilPhase(POD, "running");
      host.runtime.containers.get(NAME)?.logs.push({ at: "", stream: "stderr", line: `failure ${tries}` });
      host.runtime.exit(NAME, 3);
      await host.until(() => host.events.find(({ details }) => triesIn(details) === tries), `exit ${tries}`);
    }

    const loop = await host.untilEvent("crash-loop");
    expect(loop).toMatchObject({
      fault: "renter",
      details: {
        exit: { code: 3, cause: "exit code 3", tries: 3, log: ["failure 1", "failure 2", "failure 3"] },
        reason: { code: "crash-loop", details: { fault: "renter" } },
      },
    });
    expect(host.events.filter(({ code }) => code === "exited")).toHaveLength(2);
    await host.untilPhase(POD, "running");
    expect(host.callsOf("start")).toBe(4);
  });

  it.each([
    ["out of memory", 137, true],
    ["signal SIGSEGV", 139, false],
    ["exit code 3", 3, false],
  ])("is named: %s", async (cause, code, oomKilled) => {
    await host.boot();
    await host.pods.want(wish({}, { command: ["work"] }));
    await host.untilPhase(POD, "running");

    host.runtime.exit(NAME, code, oomKilled);

    expect(await host.untilEvent("exited")).toMatchObject({ fault: "renter", details: { exit: { cause } } });
    expect(host.status(POD)?.phase).toBe("exited");
    expect(host.status(POD)?.unbilledSince).toBeUndefined();
  });

  it.each([
    ["without an error", "on-failure", 0],
    ["though nobody wants it started again", "never", 1],
  ] as const)("%s stays as it is", async (_why, restart, code) => {
    host.pace = { ...host.pace, restart: { firstDelayMs: 1, maxDelayMs: 1 } };
    await host.boot();
    await host.pods.want(wish({}, { command: ["work"], restart }));
    await host.untilPhase(POD, "running");

    host.runtime.exit(NAME, code);

    const { details } = await host.untilEvent("exited");
    expect(details?.["exit"]).not.toHaveProperty("nextTryAt");
    expect(host.callsOf("start")).toBe(1);
  });

  it("a request to start it begins the count anew", async () => {
    await host.boot();
    await host.pods.want(wish({}, { command: ["work"] }));
    await host.untilPhase(POD, "running");
    host.runtime.exit(NAME, 1);
    await host.untilEvent("exited");

    await host.pods.want(wish({ revision: 2, runs: 2 }, { command: ["work"] }));
    await host.untilPhase(POD, "running");
    host.runtime.exit(NAME, 1);

    await host.until(
      () => (host.events.filter(({ code }) => code === "exited").length === 2 ? true : undefined),
      "two",
    );
    expect(triesIn(host.events.at(-1)?.details)).toBe(1);
  });

  it("with the engine that ran it is started again at once, and nobody is blamed for it", async () => {
    await host.boot();
    await host.pods.want(wish({}, { command: ["work"], restart: "never" }));
    await host.untilPhase(POD, "running");

    host.runtime.down = true;
    await host.engine.ask();
    await host.untilPhase(POD, "unknown");
    host.runtime.exit(NAME, 137, false, Date.now());
    host.runtime.down = false;
    await host.engine.ask();
    await host.untilPhase(POD, "running");

    expect(host.events.find(({ code }) => code === "exited")).toMatchObject({
      fault: "provider",
      details: { exit: { cause: "the host or its engine went down" }, unbilledSince: expect.any(String) },
    });
    expect(host.callsOf("start")).toBe(2);
  });
});

describe("an engine that does not answer", () => {
  it("makes every pod unknown at once; nothing is asked of it until it answers, and nothing is done then", async () => {
    await host.boot();
    const ids = [1, 2, 3].map(podId);
    await Promise.all(ids.map((id) => host.pods.want(wish({ podId: id }))));
    for (const id of ids) await host.untilPhase(id, "running");
    const changes = (): number =>
      ["create", "start", "stop", "remove"].reduce((sum, verb) => sum + host.callsOf(verb), 0);
    const before = changes();

    host.runtime.down = true;
    await host.engine.ask();
    for (const id of ids) await host.untilPhase(id, "unknown");
    const inspections = host.callsOf("inspect");
    await host.pods.want(wish({ revision: 2, goal: "ended" }));
    expect(host.callsOf("inspect")).toBe(inspections);
    host.runtime.down = false;
    await host.engine.ask();

    await host.untilPhase(podId(2), "running");
    await host.untilPhase(podId(3), "running");
    await host.untilPhase(POD, "ended");
    expect(changes() - before).toBe(2);
  });
});

describe("a lease", () => {
  it("that ends in the middle of a pull ends the pull", async () => {
    await host.boot();
    host.runtime.hangNextPull();

    await host.pods.want(wish({}, { image: "slow:1", lease: leaseOf(200, 0) }));
    await host.untilPhase(POD, "pulling");

    expect((await host.untilPhase(POD, "ended")).endReason).toBe("lease-ended");
  });
});

function triesIn(details: Record<string, unknown> | undefined): unknown {
  const exit = details?.["exit"];
  return typeof exit === "object" && exit !== null && "tries" in exit ? exit.tries : undefined;
}

describe("an end", () => {
  it("that meets a process which does not die is told as stuck, and frees the GPU only when it is gone", async () => {
    const uuid = host.gpus[0]?.uuid;
    const gpus = uuid === undefined ? [] : [uuid];
    await host.boot();
    await host.pods.want(wish({ gpus }, { gpus: { count: 1 } }));
    await host.untilPhase(POD, "running");
    const id = host.runtime.containers.get(NAME)?.seen.id ?? "";
    const undying = host.processes.add(id, "members", { state: "D", waitsIn: "nfs_wait" });
    host.processes.holders.push({ hostPort: 1, protocol: "tcp", pid: undying.pid, command: "sleep" });

    await host.pods.want(wish({ revision: 2, goal: "ended", gpus }, { gpus: { count: 1 } }));
    const stuck = await host.until(() => {
      const status = host.status(POD);
      return status?.reason?.code === "pod-stuck" ? status : undefined;
    }, "the pod to be stuck");
    await host.pods.want(wish({ podId: podId(2), gpus }, { gpus: { count: 1 } }));
    await host.untilPhase(podId(2), "failed");
    host.processes.release(undying.pid);
    await host.untilPhase(POD, "ended");
    await host.pods.want(wish({ podId: podId(3), gpus }, { gpus: { count: 1 } }));

    expect(stuck.phase).toBe("ending");
    expect(stuck.reason?.message).toContain(`process ${undying.pid} (sleep) does not die, state D in nfs_wait`);
    await host.untilPhase(podId(3), "running");
  }, 30_000);

  it("may be asked for twenty times", async () => {
    await host.boot();
    await host.pods.want(wish());
    await host.untilPhase(POD, "running");

    await Promise.all(
      Array.from({ length: 20 }, (_, index) => host.pods.want(wish({ revision: index + 2, goal: "ended" }))),
    );

    expect((await host.untilPhase(POD, "ended")).endReason).toBe("requested");
    expect(host.runtime.containers.size).toBe(0);
  });
});
