/**
 * The agent as a process: it says where it listens, ends at a signal, and comes back after a kill with what it knew.
 */
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { hostFacts, podStatus } from "../support/agent-builders.ts";
import { AgentProcess } from "../support/agent-process.ts";
import { podSpec } from "../support/builders.ts";
import { dialOptionsOf, FakeExecutor } from "../support/fake-executor.ts";

const spec = podSpec({ lease: { expiresAt: new Date(Date.now() + 3_600_000).toISOString() } });

describe("the agent's process", () => {
  let folder: string;
  let agent: AgentProcess;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "lium-main-"));
    agent = await AgentProcess.init(folder);
  });

  afterEach(async () => {
    await agent.end("SIGKILL");
    await rm(folder, { recursive: true, force: true });
  });

  it("carries a request of a validator to a host and back, and ends at a signal with nothing left behind", async () => {
    const listeners = await agent.start();
    const operator = agent.operator(listeners);
    const validator = await agent.validator(listeners);
    const { token } = await operator.invite({ body: {} });
    const executor = await FakeExecutor.start(dialOptionsOf(token), hostFacts());
    await expect.poll(async () => (await operator.capacity({})).offers.length).toBe(1);

    const { podId } = await validator.createPod({ body: { spec } });
    const wanted = await executor.nextWanted();
    executor.tell([{ status: podStatus("running", { podId }) }]);
    const view = await validator.getPod({ params: { podId }, query: { awaitPhase: "running", awaitSeconds: 5 } });

    expect(wanted.podId).toBe(podId);
    expect(view).toMatchObject({ live: true, status: { phase: "running" } });
    expect(await operator.status({})).toMatchObject({
      ...(({ validatorUrl, linkUrl }) => ({ validatorUrl, linkUrl }))(listeners),
      network: "development",
      hosts: { total: 1, connected: 1 },
      pods: { running: 1 },
    });
    await Promise.all([operator.close(), validator.close()]);
    expect(await agent.end("SIGTERM")).toBe(0);
    expect(existsSync(listeners.operatorSocket)).toBe(false);
    expect(existsSync(join(folder, "state", "listeners.json"))).toBe(false);
    expect(agent.log).toContain('"msg":"closed"');
    expect(agent.log).not.toContain('"level":"error"');
  });

  it("comes back on the same addresses after a kill, with every request that it had answered", async () => {
    const before = await agent.start();
    const operator = agent.operator(before);
    const { token } = await operator.invite({ body: {} });
    const dial = dialOptionsOf(token);
    const executor = await FakeExecutor.start(dial, hostFacts());
    await expect.poll(async () => (await operator.capacity({})).offers.length).toBe(1);
    const first = await agent.validator(before);
    const { podId } = await first.createPod({ body: { spec, idempotencyKey: "once" } });
    await Promise.all([operator.close(), first.close()]);

    expect(await agent.end("SIGKILL")).toBe("SIGKILL");
    const after = await agent.start();
    const back = await FakeExecutor.join({ ...dial, key: executor.key, secret: undefined });
    back.tell([], true);

    expect(after).toEqual(before);
    expect((await back.nextWanted()).podId).toBe(podId);
    const second = await agent.validator(after);
    expect((await second.createPod({ body: { spec, idempotencyKey: "once" } })).podId).toBe(podId);
    await second.close();
  });

  it("refuses to start with a configuration that is wrong, and says which key", async () => {
    const misled = await AgentProcess.init(join(folder, "misled"), { LIUM_AGENT_LINK_PORT: "http" });

    await expect(misled.start()).rejects.toThrow("LIUM_AGENT_LINK_PORT");
  });

  it("takes any free port when it is told 0, and says which", async () => {
    const free = await AgentProcess.init(join(folder, "free"), {
      LIUM_AGENT_LINK_PORT: "0",
      LIUM_AGENT_VALIDATOR_PORT: "0",
    });

    const listeners = await free.start();
    const validator = await free.validator(listeners);
    const operator = free.operator(listeners);
    const { token } = await operator.invite({ body: {} });
    const executor = await FakeExecutor.start(dialOptionsOf(token), hostFacts());
    await expect.poll(async () => (await validator.capacity({})).offers).toMatchObject([{ hostId: executor.hostId }]);
    await Promise.all([validator.close(), operator.close(), free.end("SIGKILL")]);
  });
});
