/**
 * Nothing that was accepted is lost, nothing is ended because somebody forgot it, and one host cannot speak for another:
 * kills of the agent, breaks of the link, pods that nobody asked for.
 */
import { afterEach, describe, expect, it } from "vitest";

import { gpu, hostFacts, podEvent } from "../support/agent-builders.ts";
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
  wish,
} from "../support/agent-scene.ts";
import { OWNER, podId, podSpec, wantedPod } from "../support/builders.ts";
import { FakeExecutor } from "../support/fake-executor.ts";

const suite = harnessSuite();
afterEach(() => suite.end());

describe("a kill of the agent", () => {
  it("loses no request that it had accepted, and brings them to the host that comes back", async () => {
    const agent = await suite.start();
    const executor = await startHost(agent);
    const requests = Array.from({ length: 20 }, (_, n) =>
      wish({ cpus: 0.1, diskBytes: 2 ** 27 }, { idempotencyKey: `${n}` }),
    );
    const small = requests.map(({ spec, ...rest }) => ({ ...rest, spec: { ...spec, memoryBytes: 2 ** 26 } }));
    const accepted: string[] = [];
    const creating = small.map(async (request) => {
      accepted.push((await agent.fleet.createPod(owner, request, 0)).podId);
    });
    await Promise.all(creating.slice(0, 10));

    const acceptedByThen = [...accepted];
    const after = await suite.afterKill(agent);
    const back = await restartHost(after, executor);
    const heard = new Set<string>();
    while (heard.size < acceptedByThen.length) heard.add((await back.nextWanted()).podId);

    const found = after.fleet.listPods(CALLER, { all: true }).map(({ podId: id }) => id);
    expect(found).toEqual(expect.arrayContaining(acceptedByThen));
    expect([...heard]).toEqual(expect.arrayContaining(acceptedByThen));
    const repeated = await Promise.all(small.slice(0, 10).map((request) => after.fleet.createPod(owner, request, 0)));
    expect(acceptedByThen).toEqual(expect.arrayContaining(repeated.map(({ podId: id }) => id)));
    await Promise.all(creating);
  });

  it("forgets neither changes nor what the host had said", async () => {
    const agent = await suite.start();
    const executor = await startHost(agent);
    const { podId: id } = await agent.fleet.createPod(owner, wish(), 0);
    const wanted = await executor.nextWanted();
    executor.tell([{ status: statusOf(wanted, "running") }]);
    await agent.fleet.awaitPhase(CALLER, id, "running", NEVER);
    await agent.fleet.changePod(CALLER, id, { do: "stop" });

    const after = await suite.afterKill(agent);
    const back = await restartHost(after, executor, [{ status: statusOf(wanted, "running"), wanted }]);

    expect(await back.nextWanted()).toMatchObject({ podId: id, goal: "stopped", revision: 2 });
    expect(after.fleet.getPod(CALLER, id)).toMatchObject({ goal: "stopped", status: { phase: "running" } });
  });
});

describe("a pod that nobody asked for here", () => {
  const alien = wantedPod({ podId: podId(77), gpus: [gpu(1).uuid], spec: podSpec({ gpus: { count: 1 } }) });
  const report = { status: statusOf(alien, "running"), wanted: alien };

  it("is left alone, shown to the operator alone, and keeps its GPU", async () => {
    const agent = await suite.start();
    const executor = await startHost(agent, [report]);

    expect(agent.fleet.listPods(OPERATOR, { all: false })).toMatchObject([{ podId: alien.podId, claimed: false }]);
    expect(agent.fleet.listPods(CALLER, { all: true })).toEqual([]);
    expect(agent.fleet.status().pods).toEqual({ running: 0, other: 0, unclaimed: 1 });
    const mine = await agent.fleet.createPod(owner, wish({ gpus: { count: 1 } }), 0);
    expect(mine.status.gpus).toEqual([gpu(2).uuid]);
    expect((await executor.nextWanted()).podId).toBe(mine.podId);
    const [event] = await collect(agent.fleet.events(OPERATOR, alien.podId, { after: 0, follow: false }, NEVER));
    expect(event).toMatchObject({ code: "unclaimed" });
  });

  it("belongs to its owner again once it is adopted, also after a restart", async () => {
    const agent = await suite.start();
    const executor = await startHost(agent, [report]);

    const adopted = await agent.fleet.adoptPod(alien.podId);
    const after = await suite.afterKill(agent);
    await restartHost(after, executor, [report]);

    expect(adopted).toMatchObject({ claimed: true, owner: OWNER });
    await expect
      .poll(() => after.fleet.getPod(CALLER, alien.podId))
      .toMatchObject({ claimed: true, status: { phase: "running" } });
  });

  it("ends when the operator says so", async () => {
    const agent = await suite.start();
    const executor = await startHost(agent, [report]);

    await agent.fleet.changePod(OPERATOR, alien.podId, { do: "terminate", reason: "operator" });

    expect(await executor.nextWanted()).toMatchObject({ podId: alien.podId, goal: "ended", endReason: "operator" });
  });

  it("ends nothing by its absence: a host that forgets it changes nothing here", async () => {
    const agent = await suite.start();
    const executor = await startHost(agent, [report]);

    executor.tell([], true);
    executor.tellEvents([podEvent(1, { podId: alien.podId })]);
    await executor.next("acknowledge");
    const sign = await agent.fleet.createPod(owner, wish(), 0);

    expect((await executor.nextWanted()).podId).toBe(sign.podId);
    expect(agent.fleet.listPods(OPERATOR, { all: false })).toHaveLength(2);
  });

  it("is not kept when nothing is left of it", async () => {
    const agent = await suite.start();
    await startHost(agent, [{ ...report, status: statusOf(alien, "ended") }]);

    expect(agent.fleet.listPods(OPERATOR, { all: true })).toEqual([]);
  });
});

describe("what one host says", () => {
  it("does not touch pods of another host", async () => {
    const agent = await suite.start();
    const honest = await startHost(agent);
    const { podId: id } = await agent.fleet.createPod(owner, wish(), 0);
    const wanted = await honest.nextWanted();
    const liar = await FakeExecutor.start(await agent.invitation(), hostFacts(), [
      { status: statusOf(wanted, "ended"), wanted },
    ]);
    liar.tellEvents([podEvent(1, { podId: id, message: "a lie" })]);
    await liar.next("acknowledge");

    honest.tell([{ status: statusOf(wanted, "running") }]);
    await agent.fleet.awaitPhase(CALLER, id, "running", NEVER);

    expect(agent.fleet.getPod(CALLER, id)).toMatchObject({ hostId: honest.hostId, status: { phase: "running" } });
    const events = await collect(agent.fleet.events(CALLER, id, { after: 0, follow: false }, NEVER));
    expect(events.map(({ message }) => message)).not.toContain("a lie");
  });

  it("replaces what its older connection would say", async () => {
    const agent = await suite.start();
    const first = await startHost(agent);
    const second = await restartHost(agent, first);

    expect(await first.closed()).toBe("replaced");
    await expect.poll(() => agent.fleet.capacity().offers.length).toBe(1);
    const { podId: id } = await agent.fleet.createPod(owner, wish(), 0);
    expect((await second.nextWanted()).podId).toBe(id);
  });

  it("counts when it knows a newer wish than a store that was restored from a backup", async () => {
    const agent = await suite.start();
    const first = await startHost(agent);
    const { podId: id } = await agent.fleet.createPod(owner, wish(), 0);
    const old = await suite.afterKill(agent);
    await agent.fleet.changePod(CALLER, id, { do: "stop" });
    await first.nextWanted();
    const newer = await first.nextWanted();

    const back = await restartHost(old, first, [{ status: statusOf(newer, "stopped"), wanted: newer }]);
    await expect.poll(() => old.fleet.getPod(CALLER, id)).toMatchObject({ goal: "stopped", live: true });
    await old.fleet.changePod(CALLER, id, { do: "start" });

    expect(await back.nextWanted()).toMatchObject({ revision: 3, goal: "running", runs: 2 });
  });

  it("is no longer waited for when it falls silent", async () => {
    const agent = await suite.start();
    const executor = await startHost(agent);
    executor.stopReading();

    for (let second = 0; second < 25; second += 5) await agent.clock.advance(5_000);

    await expect.poll(() => agent.fleet.listHosts()).toMatchObject([{ connected: false }]);
  });
});
