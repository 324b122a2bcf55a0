/**
 * The life of a pod between agent and host, over a real link and a real store: what is accepted reaches the host,
 * and what the host says reaches those who wait.
 */
import { afterEach, describe, expect, it } from "vitest";

import { Hotkey } from "../../protocol/ids.ts";
import { PodView } from "../../protocol/pod.ts";
import { gpu, hostFacts, OTHER_OWNER } from "../support/agent-builders.ts";
import { harnessSuite } from "../support/agent-harness.ts";
import {
  CALLER,
  collect,
  NEVER,
  OPERATOR,
  owner,
  restartHost,
  startHost,
  statusOf,
  STRANGER,
  wish,
} from "../support/agent-scene.ts";
import { OTHER_SSH_KEY, OWNER, T0 } from "../support/builders.ts";
import { FakeExecutor } from "../support/fake-executor.ts";

const suite = harnessSuite();
afterEach(() => suite.end());

describe("a pod", () => {
  it("reaches its host as soon as it is accepted, and those who wait as soon as it runs", async () => {
    const agent = await suite.start();
    const executor = await startHost(agent);

    const accepted = await agent.fleet.createPod(owner, wish({ gpus: { count: 1 } }), agent.clock.monotonic());
    const running = agent.fleet.awaitPhase(CALLER, accepted.podId, "running", NEVER);
    const wanted = await executor.nextWanted();
    executor.tell([{ status: statusOf(wanted, "pulling") }]);
    executor.tell([{ status: statusOf(wanted, "running", { timelineMs: { started: 7 } }) }]);

    expect(accepted).toMatchObject({
      hostId: executor.hostId,
      live: true,
      goal: "running",
      status: { phase: "pending" },
    });
    expect(wanted).toMatchObject({ podId: accepted.podId, owner: OWNER, revision: 1, runs: 1, gpus: [gpu(1).uuid] });
    const view = await running;
    expect(view).toMatchObject({ live: true, status: { phase: "running", timelineMs: { accepted: 0, started: 7 } } });
    expect(PodView.parse(view)).toEqual(view);
    expect(agent.fleet.status()).toMatchObject({
      hosts: { total: 1, connected: 1 },
      pods: { running: 1, other: 0, unclaimed: 0 },
    });
  });

  it("is shown to its owner and to the operator, and to nobody else", async () => {
    const agent = await suite.start();
    await startHost(agent);
    const { podId: id } = await agent.fleet.createPod(owner, wish(), 0);

    for (const caller of [CALLER, OPERATOR]) {
      expect(agent.fleet.getPod(caller, id).podId).toBe(id);
      expect(agent.fleet.listPods(caller, { all: false })).toHaveLength(1);
    }
    expect(agent.fleet.listPods(STRANGER, { all: true })).toEqual([]);
    const refused = { code: "pod-not-found" };
    expect(() => agent.fleet.getPod(STRANGER, id)).toThrow(expect.objectContaining(refused));
    await expect(agent.fleet.changePod(STRANGER, id, { do: "stop" })).rejects.toMatchObject(refused);
    await expect(agent.fleet.awaitPhase(STRANGER, id, "running", NEVER)).rejects.toMatchObject(refused);
    await expect(collect(agent.fleet.events(STRANGER, id, { after: 0, follow: false }, NEVER))).rejects.toMatchObject(
      refused,
    );
    await expect(collect(agent.fleet.logs(STRANGER, id, { follow: false, tail: 1 }, NEVER))).rejects.toMatchObject(
      refused,
    );
  });

  it("is told to its host anew with every change, and not when nothing changes", async () => {
    const agent = await suite.start();
    const executor = await startHost(agent);
    const { podId: id } = await agent.fleet.createPod(owner, wish(), 0);

    await agent.fleet.changePod(CALLER, id, { do: "stop" });
    await agent.fleet.changePod(CALLER, id, { do: "stop" });
    await agent.fleet.changePod(CALLER, id, { do: "add-key", key: OTHER_SSH_KEY });

    const heard = [await executor.nextWanted(), await executor.nextWanted(), await executor.nextWanted()];
    expect(heard.map(({ revision, goal }) => [revision, goal])).toEqual([
      [1, "running"],
      [2, "stopped"],
      [3, "stopped"],
    ]);
    expect(heard[2]?.spec.sshKeys).toHaveLength(2);
  });

  it("is wanted ended until its host says that it is over, and then never again", async () => {
    const agent = await suite.start();
    const first = await startHost(agent);
    const { podId: id } = await agent.fleet.createPod(owner, wish({ gpus: { count: 2 } }), 0);
    const begun = await first.nextWanted();
    await agent.fleet.changePod(CALLER, id, { do: "terminate", reason: "requested" });
    first.vanish();

    const second = await restartHost(agent, first, [{ status: statusOf(begun, "running"), wanted: begun }]);
    const ending = await second.nextWanted();
    await expect(agent.fleet.createPod(owner, wish({ gpus: { count: 1 } }), 0)).rejects.toMatchObject({
      code: "no-capacity",
    });
    second.tell([{ status: statusOf(ending, "ended", { endReason: "requested" }) }]);
    await agent.fleet.awaitPhase(CALLER, id, "ended", NEVER);
    second.vanish();
    const third = await restartHost(agent, first);
    await expect.poll(() => agent.fleet.capacity().offers.length).toBe(1);
    const next = await agent.fleet.createPod(owner, wish({ gpus: { count: 2 } }), 0);

    expect(ending).toMatchObject({ podId: id, goal: "ended", endReason: "requested", revision: 2 });
    expect((await third.nextWanted()).podId).toBe(next.podId);
    expect(agent.fleet.listPods(CALLER, { all: false }).map(({ podId: one }) => one)).toEqual([next.podId]);
    expect(agent.fleet.listPods(CALLER, { all: true })).toHaveLength(2);
  });

  it("is unknown while its host is away, and told again to a host that has lost it", async () => {
    const agent = await suite.start();
    const first = await startHost(agent);
    const { podId: id } = await agent.fleet.createPod(owner, wish(), 0);
    const wanted = await first.nextWanted();
    first.tell([{ status: statusOf(wanted, "running") }]);
    await agent.fleet.awaitPhase(CALLER, id, "running", NEVER);

    first.vanish();
    await expect
      .poll(() => agent.fleet.getPod(CALLER, id))
      .toMatchObject({ live: false, status: { phase: "unknown" } });
    expect(agent.fleet.capacity().offers).toEqual([]);
    const second = await restartHost(agent, first, []);

    expect(await second.nextWanted()).toEqual(wanted);
    expect(agent.fleet.getPod(CALLER, id)).toMatchObject({ goal: "running", live: true });
  });

  it("gives its newest view when the wait is given up", async () => {
    const agent = await suite.start();
    await startHost(agent);
    const { podId: id } = await agent.fleet.createPod(owner, wish(), 0);
    const patience = new AbortController();

    const waiting = agent.fleet.awaitPhase(CALLER, id, "running", patience.signal);
    patience.abort();

    expect(await waiting).toMatchObject({ podId: id, status: { phase: "pending" } });
  });
});

describe("a request", () => {
  it("with an idempotency key is carried out once, and refused when the same key asks for something else", async () => {
    const agent = await suite.start();
    await startHost(agent);
    const once = wish({ labels: { a: "1", b: "2" } }, { idempotencyKey: "k" });
    const reordered = wish({ labels: { b: "2", a: "1" } }, { idempotencyKey: "k" });

    const views = await Promise.all([once, reordered, once].map((request) => agent.fleet.createPod(owner, request, 0)));
    const other = agent.fleet.createPod(owner, wish({ cpus: 2 }, { idempotencyKey: "k" }), 0);

    expect(new Set(views.map(({ podId: id }) => id)).size).toBe(1);
    await expect(other).rejects.toMatchObject({ code: "idempotency-mismatch" });
    const stranger = await agent.fleet.createPod(Hotkey.parse(OTHER_OWNER), once, 0);
    expect(stranger.podId).not.toBe(views[0]?.podId);
  });

  it("for a lease that is over, or for what no host has, is refused and leaves nothing but an audit entry", async () => {
    const agent = await suite.start();
    await startHost(agent);
    const past = { expiresAt: new Date(T0 - 1).toISOString() };

    await expect(agent.fleet.createPod(owner, wish({ lease: past }), 0)).rejects.toMatchObject({
      code: "lease-expired",
    });
    await expect(agent.fleet.createPod(owner, wish({ gpus: { count: 3 } }), 0)).rejects.toMatchObject({
      code: "no-capacity",
      details: { hosts: [{ missing: ["gpus: 3 asked for, 2 free"] }] },
    });

    expect(agent.fleet.listPods(OPERATOR, { all: true })).toEqual([]);
    expect((await agent.store.readAudit(2)).map(({ who, outcome }) => [who, outcome])).toEqual([
      [OWNER, "no-capacity"],
      [OWNER, "lease-expired"],
    ]);
  });

  it("never gets a GPU that another has: of 200 at once for 8 GPUs, 8 are accepted", async () => {
    const agent = await suite.start();
    const facts = hostFacts({ gpus: [1, 2, 3, 4].map((n) => gpu(n)) });
    const more = { ...facts, gpus: [5, 6, 7, 8].map((n) => gpu(n)) };
    for (const one of [facts, more]) await FakeExecutor.start(await agent.invitation(), one);
    await expect.poll(() => agent.fleet.capacity().offers.length).toBe(2);
    const request = wish({ gpus: { count: 1 }, cpus: 0.1, memoryBytes: 64 * 2 ** 20, diskBytes: 64 * 2 ** 20 });

    const outcomes = await Promise.allSettled(
      Array.from({ length: 200 }, () => agent.fleet.createPod(owner, request, 0)),
    );

    const accepted = agent.fleet.listPods(OPERATOR, { all: true });
    expect(new Set(accepted.flatMap(({ status }) => status.gpus)).size).toBe(8);
    expect(accepted).toHaveLength(8);
    const refusals = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason.code] : []));
    expect(refusals).toEqual(Array.from({ length: 192 }, () => "no-capacity"));
    expect(agent.fleet.capacity().offers.flatMap(({ gpus }) => gpus.map(({ free }) => free))).not.toContain(true);
  });

  it("for a simulated GPU is refused outside a development network, and none is offered", async () => {
    const agent = await suite.start({ network: "finney" });
    const facts = hostFacts({ gpus: [gpu(1, { simulated: true })] });
    await FakeExecutor.start(await agent.invitation(), facts);
    await expect.poll(() => agent.fleet.capacity().offers).toMatchObject([{ gpus: [] }]);

    const refused = agent.fleet.createPod(owner, wish({ gpus: { count: 1, uuids: [gpu(1).uuid] } }), 0);

    await expect(refused).rejects.toMatchObject({ code: "no-capacity" });
  });
});
