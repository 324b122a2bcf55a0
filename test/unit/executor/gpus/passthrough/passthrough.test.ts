/** What is offered as devices appear, containers of others come and go, and the host's set-up changes. */
import { afterEach, describe, expect, it } from "vitest";

import { toDevices } from "../../../../../executor/docker/container-devices.ts";
import type { GpuChange } from "../../../../../executor/gpus/inventory.ts";
import { offerGpus } from "../../../../../executor/gpus/passthrough/offer.ts";
import { type Holder, Passthrough } from "../../../../../executor/gpus/passthrough/passthrough.ts";
import type { HostSetup } from "../../../../../executor/gpus/passthrough/setup.ts";
import { rentableUnits } from "../../../../../executor/gpus/units.ts";
import { CurrentFacts } from "../../../../../executor/host/current-facts.ts";
import type { Accelerator } from "../../../../../protocol/accelerator.ts";
import { hostFacts } from "../../../../support/agent-builders.ts";
import { FakeClock } from "../../../../support/fake-clock.ts";
import { amdGpu, cdiSetup, nvidiaGpu } from "../../../../support/gpus/giving.ts";
import { loggerToMemory } from "../../../../support/memory-log.ts";

const NEVER = new AbortController().signal;

/** A host whose devices and set-up a test changes. */
class Host {
  gpus: Accelerator[];
  setup: HostSetup = cdiSetup(4);
  looks = 0;
  readonly clock = new FakeClock(0);
  readonly passthrough: Passthrough;
  #listener: (changes: readonly GpuChange[]) => void = () => undefined;

  constructor(gpus: Accelerator[]) {
    this.gpus = gpus;
    const snapshot = () => ({ at: "2026-01-01T00:00:00.000Z", gpus: this.gpus, pairs: [], sources: [] });
    this.passthrough = new Passthrough({
      inventory: {
        list: () => rentableUnits(snapshot()),
        snapshot,
        onChange: (listener) => {
          this.#listener = listener;
          return () => undefined;
        },
      },
      readSetup: async () => {
        this.looks += 1;
        return this.setup;
      },
      clock: this.clock,
      log: loggerToMemory().log,
    });
  }

  change(gpus: Accelerator[]): void {
    this.gpus = gpus;
    this.#listener([]);
  }

  offered(): string[] {
    return this.passthrough.offered().map(({ uuid }) => uuid);
  }
}

function theirs(id: string): Holder {
  const HostConfig = { DeviceRequests: [{ Driver: "cdi", DeviceIDs: [`nvidia.com/gpu=${id}`] }] };
  return { name: "theirs", ours: false, devices: toDevices({ HostConfig, Config: {} }) };
}

describe("what a host offers", () => {
  const hosts: Host[] = [];
  afterEach(() => Promise.all(hosts.splice(0).map(({ passthrough }) => passthrough.close())));

  async function started(...gpus: Accelerator[]): Promise<Host> {
    const host = new Host(gpus);
    hosts.push(host);
    await host.passthrough.start();
    return host;
  }

  it("is nothing real before it is known who else holds it, also of devices that appear later", async () => {
    const host = await started(nvidiaGpu(0));
    expect(host.offered()).toEqual([]);

    host.passthrough.hold([], true);
    expect(host.offered()).toEqual(["GPU-0"]);

    host.change([nvidiaGpu(0), nvidiaGpu(1)]);
    expect(host.offered()).toEqual(["GPU-0"]);

    host.passthrough.hold([theirs("GPU-0")], true);
    expect(host.offered()).toEqual(["GPU-1"]);
  });

  it("leaves out what a container may hold that nobody can ask about, of ours also what is made up", async () => {
    const host = await started(nvidiaGpu(0), nvidiaGpu(1, { simulated: true }));

    host.passthrough.hold([{ name: "silent", ours: false, devices: undefined }], true);
    expect(host.offered()).toEqual(["GPU-1"]);
    host.passthrough.hold([{ name: "silent", ours: true, devices: undefined }], true);
    expect(host.offered()).toEqual([]);
    expect(host.passthrough.blocked.get(nvidiaGpu(0).uuid)).toBe("silent");
  });

  it("counts a device as held that appears while a container has it by `all`", async () => {
    const host = await started(nvidiaGpu(0));
    host.passthrough.hold([theirs("all")], true);

    host.change([nvidiaGpu(0), nvidiaGpu(1)]);

    expect([...host.passthrough.blocked.keys()]).toEqual(["GPU-0", "GPU-1"]);
  });

  it("is told to whoever tells of this host, with the reason for what cannot be given", async () => {
    const host = await started(nvidiaGpu(0), amdGpu(0));
    const facts = new CurrentFacts(hostFacts({ gpus: [] }));
    const stop = offerGpus({
      passthrough: host.passthrough,
      gpus: { snapshot: () => ({ at: "", gpus: host.gpus, pairs: [], sources: [] }) },
      facts,
      clock: host.clock,
    });

    host.passthrough.hold([], true);
    expect(facts.value.gpus.map(({ uuid }) => uuid)).toEqual(["GPU-0"]);
    expect(facts.value.problems).toMatchObject([
      { code: "gpu-passthrough-missing", message: expect.stringMatching(/^amd: /) },
    ]);

    host.change([nvidiaGpu(0)]);
    expect(facts.value.problems).toEqual([]);
    stop();
  });

  it("needs no look at a host that has nothing real", async () => {
    const host = await started(nvidiaGpu(0, { simulated: true }));

    expect(host.offered()).toEqual(["GPU-0"]);
    expect(await host.passthrough.give([nvidiaGpu(0).uuid], NEVER)).toBeUndefined();
    expect(host.looks).toBe(0);
  });

  it("is looked at anew for each pod that is given something real", async () => {
    const host = await started(nvidiaGpu(0));
    host.setup = cdiSetup(4, { cdi: false });

    await expect(host.passthrough.give([nvidiaGpu(0).uuid], NEVER)).rejects.toMatchObject({ code: "gpu-not-given" });
  });
});
