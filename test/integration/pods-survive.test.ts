/** What pods survive, over the fake engine: crashes, reboots, an engine that is away; and where secrets go. */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { seal } from "../../common/sealed-box.ts";
import { podId } from "../support/builders.ts";
import { PodsHarness, wish } from "../support/pods-harness.ts";

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

function loseLedger(): void {
  for (const suffix of ["", "-wal", "-shm"]) rmSync(join(host.dir, `ledger.db${suffix}`), { force: true });
}

describe("a crash of the executor", () => {
  it("stops no pod and starts none twice; all are adopted", async () => {
    const ids = Array.from({ length: 20 }, (_, index) => podId(index + 1));
    await Promise.all(ids.map((id) => host.pods.want(wish({ podId: id }))));
    for (const id of ids) await host.untilPhase(id, "running");
    const startedAt = [...host.runtime.containers.values()].map(({ seen }) => seen.startedAtMs);

    await host.close();
    await host.boot();
    for (const id of ids) await host.untilPhase(id, "running");

    expect([...host.runtime.containers.values()].map(({ seen }) => seen.startedAtMs)).toEqual(startedAt);
    expect(host.callsOf("create")).toBe(20);
    expect(host.events.filter(({ code }) => code === "running")).toHaveLength(20);
  });

  it("an exit meanwhile is reported with its code", async () => {
    await host.pods.want(wish({}, { command: ["work"] }));
    await host.untilPhase(POD, "running");
    await host.close();
    host.runtime.exit(NAME, 3);

    await host.boot();

    expect(await host.untilPhase(POD, "exited")).toMatchObject({ exit: { code: 3, oomKilled: false } });
    await host.untilEvent("exited");
  });

  it("a lost ledger is rebuilt from the containers' labels", async () => {
    await host.pods.want(wish());
    const before = await host.untilPhase(POD, "running");
    await host.close();
    loseLedger();

    await host.boot();
    const after = await host.untilPhase(POD, "running");

    expect(after.ssh).toEqual(before.ssh);
    expect(host.callsOf("create")).toBe(1);
  });

  it("with the ledger lost, a pod that was stopped on purpose is not started, until a wish says so", async () => {
    await host.pods.want(wish());
    await host.untilPhase(POD, "running");
    await host.pods.want(wish({ revision: 2, goal: "stopped" }));
    await host.untilPhase(POD, "stopped");
    await host.close();
    loseLedger();

    await host.boot();
    await host.untilPhase(POD, "exited");
    expect(host.callsOf("start")).toBe(1);
    await host.pods.want(wish());

    await host.untilPhase(POD, "running");
  });

  it("a container that cannot be read keeps new pods off the GPUs, and is left alone", async () => {
    await host.pods.want(wish());
    await host.untilPhase(POD, "running");
    await host.close();
    const container = host.runtime.containers.get(NAME);
    if (container !== undefined) container.seen = { ...container.seen, name: "stranger", labels: { "lium.pod": "?" } };
    loseLedger();

    await host.boot();
    const uuid = host.gpus[0]?.uuid;
    await host.until(() => (host.pods.unreadable.length === 1 ? true : undefined), "the unreadable one");
    await host.pods.want(wish({ podId: podId(2), gpus: uuid === undefined ? [] : [uuid] }, { gpus: { count: 1 } }));

    expect(await host.untilPhase(podId(2), "failed")).toMatchObject({
      reason: { code: "gpu-taken", details: { container: "stranger" } },
    });
    expect(container?.seen.state).toBe("running");
  });
});

describe("a reboot of the host", () => {
  it("brings back what ran, and not what had ended by itself or was stopped", async () => {
    const [ran, ended, stopped] = [podId(1), podId(2), podId(3)];
    for (const id of [ran, ended, stopped]) await host.pods.want(wish({ podId: id }, { command: ["work"] }));
    for (const id of [ran, ended, stopped]) await host.untilPhase(id, "running");
    host.runtime.exit(`lium-${ended}`, 0);
    await host.untilPhase(ended, "exited");
    await host.pods.want(wish({ podId: stopped, revision: 2, goal: "stopped" }, { command: ["work"] }));
    await host.untilPhase(stopped, "stopped");
    await host.close();

    host.runtime.exit(`lium-${ran}`, 255);
    host.bootId = "boot-2";
    await host.boot();

    await host.untilPhase(ran, "running");
    expect(host.status(ended)?.phase).toBe("exited");
    expect(host.status(stopped)?.phase).toBe("stopped");
  });
});

describe("trouble", () => {
  it("an engine that does not answer makes a pod unknown, and nothing else", async () => {
    await host.pods.want(wish());
    await host.untilPhase(POD, "running");
    await host.close();
    host.runtime.down = true;
    await host.boot();

    expect((await host.untilPhase(POD, "unknown")).endReason).toBeUndefined();
    host.runtime.down = false;
    await host.untilPhase(POD, "running");
    expect([host.callsOf("stop"), host.callsOf("remove"), host.callsOf("create")]).toEqual([0, 0, 1]);
  });

  it("an engine that goes away makes a running pod unknown, and nothing is done until it is back", async () => {
    await host.pods.want(wish());
    await host.untilPhase(POD, "running");
    host.runtime.down = true;

    await host.pods.want(wish({ revision: 2, goal: "stopped" }));
    await host.untilPhase(POD, "unknown");
    expect(host.runtime.containers.get(NAME)?.seen.state).toBe("running");

    host.runtime.down = false;
    await host.untilPhase(POD, "stopped");
  });

  it("a pod without SSH is degraded, never running, and recovers", async () => {
    host.sshUp = false;
    await host.pods.want(wish());

    const status = await host.untilPhase(POD, "degraded");
    host.sshUp = true;

    expect(status.reason).toMatchObject({ code: "ssh-not-ready" });
    await host.untilPhase(POD, "running");
  });
});

describe("secrets", () => {
  it("reach the pod's folder in memory, and neither the ledger nor the engine", async () => {
    const clear = "correct horse battery staple";
    const sealedEnv = seal(Buffer.from(JSON.stringify({ TOKEN: clear })), host.sealingKey.publicKey);
    await host.pods.want(wish({}, { sealedEnv }));
    await host.untilPhase(POD, "running");

    const file = readFileSync(join(host.dir, "secrets", POD, "env"), "utf8");
    const ledger = ["", "-wal"].map((suffix) => readFileSync(join(host.dir, `ledger.db${suffix}`), "latin1")).join("");

    expect(file).toContain(clear);
    expect(ledger).toContain(sealedEnv.box.slice(0, 40));
    expect(ledger).not.toContain(clear);
    expect(JSON.stringify(host.runtime.containers.get(NAME)?.spec)).not.toContain(clear);
  });

  it("cannot get into a log line while they are held in clear", async () => {
    const password = seal(Buffer.from("hunter2-hunter2"), host.sealingKey.publicKey);
    host.runtime.pull = async (_reference, { auth }) => {
      host.log.warn("the registry said", { answer: `bad password ${auth?.password}` });
      host.runtime.images.set("private:1", IMAGE);
      return IMAGE;
    };
    await host.pods.want(wish({}, { image: "private:1", registryAuth: { username: "renter", password } }));
    await host.untilPhase(POD, "running");

    expect(host.logged.join("")).toContain("the registry said");
    expect(host.logged.join("")).not.toContain("hunter2");
  });

  it("sealed to another host are refused before anything is made", async () => {
    const sealedEnv = seal(Buffer.from("{}"), Buffer.alloc(32, 7).toString("base64"));
    await host.pods.want(wish({}, { sealedEnv }));

    expect(await host.untilPhase(POD, "failed")).toMatchObject({ reason: { code: "secret-wrong-host" } });
    expect(host.callsOf("create")).toBe(0);
  });

  it("that open to nonsense fail the pod without being quoted", async () => {
    const sealedEnv = seal(Buffer.from('{"TOKEN": hunter2secret}'), host.sealingKey.publicKey);
    await host.pods.want(wish({}, { sealedEnv }));

    const status = await host.untilPhase(POD, "failed");

    expect(status.reason?.code).toBe("secret-unreadable");
    expect(JSON.stringify(status)).not.toContain("hunter2");
  });
});

describe("a host whose engine has not answered since the executor started", () => {
  it("takes a new pod only when it knows what is there", async () => {
    await host.close();
    host.runtime.down = true;
    await host.boot();

    const wanted = host.pods.want(wish());
    await host.engine.ask();
    expect(host.status(POD)).toBeUndefined();
    host.runtime.down = false;
    await host.engine.ask();
    await wanted;

    await host.untilPhase(POD, "running");
  });
});

describe("a pod of another executor on the same engine", () => {
  it("is not adopted, and what it holds is not free", async () => {
    const uuid = host.gpus[0]?.uuid;
    const gpus = uuid === undefined ? [] : [uuid];
    await host.pods.want(wish({ gpus }, { gpus: { count: 1 } }));
    await host.untilPhase(POD, "running");
    await host.close();
    loseLedger();
    const container = host.runtime.containers.get(NAME);
    if (container !== undefined) {
      container.seen = { ...container.seen, labels: { ...container.seen.labels, "lium.host": "another" } };
    }

    await host.boot();
    await host.pods.want(wish({ podId: podId(2), gpus }, { gpus: { count: 1 } }));

    expect(await host.untilPhase(podId(2), "failed")).toMatchObject({ reason: { code: "gpu-taken" } });
    expect(host.status(POD)).toBeUndefined();
    expect(container?.seen.state).toBe("running");
  });
});
