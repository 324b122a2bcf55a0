/** Accelerators on their way from a host's inventory to the operator, over a real link between a real agent and executor. */
import { afterEach, describe, expect, it } from "vitest";

import { systemClock } from "../../common/clock.ts";
import { generateEd25519 } from "../../common/ed25519.ts";
import { GpuReporter } from "../../executor/gpus/report/reporter.ts";
import { type SimulatedInventory, simulatedGpus } from "../../executor/gpus/simulated.ts";
import { LinkClient } from "../../executor/link/client.ts";
import { HostId } from "../../protocol/ids.ts";
import { hostFacts, podEvent } from "../support/agent-builders.ts";
import { type Harness, harnessSuite, SILENT } from "../support/agent-harness.ts";
import { startHost } from "../support/agent-scene.ts";
import { podId } from "../support/builders.ts";
import { dialOptionsOf, FakeExecutor } from "../support/fake-executor.ts";

const suite = harnessSuite();
const links: LinkClient[] = [];

afterEach(async () => {
  await Promise.all(links.splice(0).map((link) => link.close()));
  await suite.end();
});

const LOST = { code: "lost", message: "It is lost.", fence: true };

/** The executor's own link and reporter over simulated devices, of which a pod has the first. */
async function startExecutor(
  agent: Harness,
  gpus: SimulatedInventory,
  forbidRemedies: (why: string | undefined) => void = () => undefined,
): Promise<void> {
  const { secret = "", fingerprint, url } = await agent.invitation();
  const [first] = gpus.list();
  const holding = { podId: podId(1), phase: "running" as const, gpus: [first!.uuid] };
  const reporter = new GpuReporter({
    gpus,
    pods: { reports: () => [{ status: holding }], onStatus: () => () => undefined },
    clock: systemClock(),
    random: () => 0,
    run: "run",
  });
  const link = new LinkClient(
    { reconnect: { firstDelayMs: 5, maxDelayMs: 20 } },
    {
      membership: { url, fingerprint, joinSecret: secret },
      name: "gpu-host",
      identity: generateEd25519(),
      pods: {
        reports: () => [],
        onStatus: () => () => undefined,
        want: async () => undefined,
        async *logs() {},
      },
      events: { eventsAfter: () => [], dropEventsUpTo: () => undefined, numberEventsAfter: () => undefined },
      facts: { value: hostFacts({ gpus: [] }), onChange: () => () => undefined },
      gpuReports: reporter,
      clock: systemClock(),
      log: SILENT,
      random: Math.random,
      challenges: { take: () => undefined },
      forbidRemedies,
      onWelcome: async () => undefined,
    },
  );
  links.push(link);
  link.start();
  await expect.poll(() => agent.fleet.listGpus(undefined).length).toBe(gpus.list().length);
}

describe("an operator", () => {
  it("sees every device with who has it, and a fault as soon as the host does", async () => {
    const agent = await suite.start();
    const gpus = simulatedGpus("8xH100", "host");
    await startExecutor(agent, gpus);
    const [held, sick] = gpus.list();
    const seen = agent.fleet.listGpus(undefined);

    expect(seen.filter(({ pods }) => pods.length > 0)).toMatchObject([
      { uuid: held?.uuid, pods: [podId(1)], live: true },
    ]);
    expect(seen.every(({ simulated, health }) => simulated && health.state === "healthy")).toBe(true);

    gpus.inject(sick!.uuid, LOST);

    await expect.poll(() => agent.fleet.getGpu(sick!.uuid).gpu.health.state, { interval: 5 }).toBe("fenced");
    expect(agent.fleet.getGpu(sick!.uuid).pairs).toHaveLength(7);
    expect(agent.fleet.metrics()).toContain(`uuid="${sick!.uuid}",model="NVIDIA H100 80GB HBM3",code="lost"} 1`);
    expect(agent.fleet.metrics()).toContain(`lium_pod_gpus{`);
  });

  it("is refused a device that no host has told of", async () => {
    const agent = await suite.start();

    expect(() => agent.fleet.getGpu(simulatedGpus("1xH100", "other").list()[0]!.uuid)).toThrow(
      expect.objectContaining({ code: "gpu-not-found" }),
    );
  });
});

describe("a host", () => {
  it("hears when GPUs fail all over the fleet, and when an operator lets it go on", async () => {
    const agent = await suite.start();
    const heard: (string | undefined)[] = [];
    await startExecutor(agent, simulatedGpus("1xH100", "host"), (why) => heard.push(why));
    for (const name of ["a", "b", "c"]) {
      const hostId = HostId.parse(`host-${name.repeat(16)}`);
      const gpus = simulatedGpus("1xH100", name);
      agent.gpus.breaker.saw(hostId, gpus.found().gpus);
      gpus.inject(gpus.list()[0]!.uuid, LOST);
      agent.gpus.breaker.saw(hostId, gpus.found().gpus);
    }
    await expect.poll(() => heard.length, { interval: 5 }).toBe(2);
    agent.gpus.breaker.resume();
    await expect.poll(() => heard.length, { interval: 5 }).toBe(3);

    expect(heard).toEqual([undefined, expect.stringContaining("3 hosts"), undefined]);
  });
});

describe("an executor of a version that does not know these words", () => {
  it("is never asked, and its link goes on", async () => {
    const agent = await suite.start();
    const old = await startHost(agent);

    old.tellEvents([podEvent(1)]);
    await old.next("acknowledge");

    expect(old.heard).toEqual([]);
    expect(agent.fleet.listGpus(undefined)).toEqual([]);
  });
});

describe("an executor that knows them", () => {
  it("is asked once it is welcome; a report that cannot be read costs the report and not the link", async () => {
    const agent = await suite.start();
    const options = { ...dialOptionsOf((await agent.fleet.invite(60)).token), words: "gpus/1 other/7" };
    const executor = await FakeExecutor.start(options, hostFacts());

    expect(await executor.next("gpus-from")).toEqual({ type: "gpus-from" });
    executor.send({ type: "gpus", report: { cursor: "a", novelty: true } });
    executor.send({ type: "facts", facts: hostFacts({ hostname: "still-here" }) });

    await expect.poll(() => agent.fleet.listHosts()[0]?.facts?.hostname).toBe("still-here");
  });
});
