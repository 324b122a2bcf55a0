/**
 * What the agent passes on and keeps: events once each and in order, log lines, and secrets only as they came.
 */
import { readFile } from "node:fs/promises";

import { afterEach, describe, expect, it } from "vitest";

import { generateSealingKey, seal } from "../../common/sealed-box.ts";
import type { PodEvent } from "../../protocol/pod.ts";
import { hostFacts, podEvent } from "../support/agent-builders.ts";
import { harnessSuite } from "../support/agent-harness.ts";
import { CALLER, collect, NEVER, OPERATOR, owner, startHost, wish } from "../support/agent-scene.ts";
import { FakeExecutor } from "../support/fake-executor.ts";

const suite = harnessSuite();
afterEach(() => suite.end());

describe("events", () => {
  const told = (from: number, to: number, id: PodEvent["podId"]): PodEvent[] =>
    Array.from({ length: to - from + 1 }, (_, n) => podEvent(from + n, { podId: id }));

  it("come through once each and in order, also when the host tells them again after a kill", async () => {
    const agent = await suite.start();
    const first = await startHost(agent);
    const { podId: id } = await agent.fleet.createPod(owner, wish(), 0);
    first.tellEvents(told(1, 3, id));
    expect((await first.next("acknowledge")).eventCursor).toBe(3);

    const after = await suite.afterKill(agent);
    const second = await FakeExecutor.dial({
      url: after.url,
      fingerprint: after.certificate.fingerprint,
      key: first.key,
    });
    second.send(second.hello((await second.next("challenge")).nonce));
    const welcome = await second.next("welcome");
    second.tellEvents(told(2, 5, id));
    expect((await second.next("acknowledge")).eventCursor).toBe(5);

    expect(welcome.eventCursor).toBe(3);
    const events = await collect(after.fleet.events(CALLER, id, { after: 0, follow: false }, NEVER));
    expect(events.map(({ message }) => message).slice(1)).toEqual(told(1, 5, id).map(({ message }) => message));
    expect(events[0]).toMatchObject({ code: "accepted" });
  });

  it("can be followed from a cursor on, without loss or repeat", async () => {
    const agent = await suite.start();
    const executor = await startHost(agent);
    const { podId: id } = await agent.fleet.createPod(owner, wish(), 0);
    const [accepted] = await collect(agent.fleet.events(CALLER, id, { after: 0, follow: false }, NEVER));

    const following = collect(
      agent.fleet.events(CALLER, id, { after: accepted?.cursor ?? 0, follow: true }, NEVER),
      30,
    );
    for (let n = 1; n <= 30; n += 3) executor.tellEvents(told(n, n + 2, id));

    expect((await following).map(({ message }) => message)).toEqual(told(1, 30, id).map(({ message }) => message));
  });

  it("stop being followed when the follower gives up", async () => {
    const agent = await suite.start();
    await startHost(agent);
    const { podId: id } = await agent.fleet.createPod(owner, wish(), 0);
    const patience = new AbortController();

    const following = collect(agent.fleet.events(CALLER, id, { after: 0, follow: true }, patience.signal));
    patience.abort();

    expect((await following).length).toBeLessThanOrEqual(1);
  });

  it("say who asked for what", async () => {
    const agent = await suite.start();
    await startHost(agent);
    const { podId: id } = await agent.fleet.createPod(owner, wish(), 0);
    await agent.fleet.changePod(CALLER, id, { do: "stop" });
    await agent.fleet.changePod(OPERATOR, id, { do: "terminate", reason: "operator" });

    const events = await collect(agent.fleet.events(CALLER, id, { after: 0, follow: false }, NEVER));

    expect(events.map(({ code, fault }) => [code, fault])).toEqual([
      ["accepted", "none"],
      ["stop-requested", "none"],
      ["terminate-requested", "provider"],
    ]);
  });
});

describe("a secret", () => {
  it("stays sealed in everything that the agent writes", async () => {
    const agent = await suite.start();
    const host = generateSealingKey();
    const facts = hostFacts({ sealingKey: host.publicKey });
    const executor = await FakeExecutor.start(await agent.invitation(), facts);
    await expect.poll(() => agent.fleet.capacity().offers.length).toBe(1);
    const secret = "hunter2-hunter2-hunter2";
    const sealedEnv = seal(Buffer.from(JSON.stringify({ PASSWORD: secret })), host.publicKey);

    const view = await agent.fleet.createPod(owner, wish({ sealedEnv, labels: { visible: "yes-in-clear" } }), 0);

    expect((await executor.nextWanted()).spec.sealedEnv).toEqual(sealedEnv);
    const stored = Buffer.concat(await Promise.all(["", "-wal"].map((suffix) => readFile(`${agent.dbPath}${suffix}`))));
    expect(stored.includes("yes-in-clear")).toBe(true);
    expect(stored.includes(sealedEnv.box)).toBe(true);
    expect(stored.includes(secret)).toBe(false);
    expect(JSON.stringify(view)).not.toContain(secret);
  });
});

describe("logs", () => {
  const line = (n: number) => ({ at: "2026-01-01T00:00:00Z", stream: "stdout" as const, line: `line ${n}` });
  const query = { follow: true, tail: 10 };

  it("come from the host line by line until it is done", async () => {
    const agent = await suite.start();
    const executor = await startHost(agent);
    const { podId: id } = await agent.fleet.createPod(owner, wish(), 0);

    const reading = collect(agent.fleet.logs(CALLER, id, query, NEVER));
    const asked = await executor.next("logs");
    executor.send({ type: "item", id: asked.id, lines: [line(1), line(2)] });
    executor.send({ type: "item", id: asked.id, lines: [line(3)] });
    executor.send({ type: "done", id: asked.id });

    expect(await reading).toEqual([line(1), line(2), line(3)]);
    expect(asked).toMatchObject({ podId: id, query });
  });

  it("are told apart when many are read, and the host is told when a reader leaves", async () => {
    const agent = await suite.start();
    const executor = await startHost(agent);
    const { podId: id } = await agent.fleet.createPod(owner, wish(), 0);

    const reads = [1, 2].map(() => collect(agent.fleet.logs(CALLER, id, query, NEVER), 1));
    const asked = [await executor.next("logs"), await executor.next("logs")];
    for (const [n, { id: stream }] of asked.entries()) {
      executor.send({ type: "item", id: stream, lines: [line(n), line(9)] });
    }

    expect(await Promise.all(reads)).toEqual([[line(0)], [line(1)]]);
    const cancelled = [(await executor.next("cancel")).id, (await executor.next("cancel")).id];
    expect(new Set(cancelled)).toEqual(new Set(asked.map(({ id: stream }) => stream)));
  });

  it("end quietly when the reader gives up", async () => {
    const agent = await suite.start();
    const executor = await startHost(agent);
    const { podId: id } = await agent.fleet.createPod(owner, wish(), 0);
    const patience = new AbortController();

    const reading = collect(agent.fleet.logs(CALLER, id, query, patience.signal));
    const asked = await executor.next("logs");
    patience.abort();

    expect(await reading).toEqual([]);
    expect((await executor.next("cancel")).id).toBe(asked.id);
  });

  it("fail with what the host refused them with, and when the host is gone", async () => {
    const agent = await suite.start();
    const executor = await startHost(agent);
    const { podId: id } = await agent.fleet.createPod(owner, wish(), 0);

    const refused = collect(agent.fleet.logs(CALLER, id, query, NEVER));
    const reason = { code: "pod-not-found", message: "No such container." };
    executor.send({ type: "failed", id: (await executor.next("logs")).id, reason });
    await expect(refused).rejects.toMatchObject(reason);
    const broken = collect(agent.fleet.logs(CALLER, id, query, NEVER));
    await executor.next("logs");
    executor.vanish();

    await expect(broken).rejects.toMatchObject({ code: "host-unreachable" });
    await expect(collect(agent.fleet.logs(CALLER, id, query, NEVER))).rejects.toMatchObject({
      code: "host-unreachable",
    });
  });
});
