/** What is rentable: whole devices, the partitions of cut ones, and nothing that is sick or unknown; and how it is told. */
import { describe, expect, it } from "vitest";

import { mergeReadings } from "../../../../executor/gpus/merge.ts";
import { simulatedGpus } from "../../../../executor/gpus/simulated.ts";
import { gpuFacts, rentableUnits } from "../../../../executor/gpus/units.ts";
import type { AcceleratorReading } from "../../../../protocol/accelerator.ts";
import { HostFacts } from "../../../../protocol/host.ts";
import { GpuUuid } from "../../../../protocol/ids.ts";

const GIB = 2 ** 30;

function gpu(uuid: string, more: Partial<AcceleratorReading> = {}): AcceleratorReading {
  const memory = { totalBytes: 80 * GIB };
  return { uuid: GpuUuid.parse(uuid), vendor: "nvidia", model: "NVIDIA H100", memory, ...more };
}

function unitsOf(...readings: AcceleratorReading[]): string[] {
  return rentableUnits({ gpus: readings.map((reading) => mergeReadings([reading])) }).map(({ uuid }) => uuid);
}

describe("rentableUnits", () => {
  it("orders by UUID", () => {
    expect(unitsOf(gpu("GPU-b"), gpu("GPU-a"))).toEqual(["GPU-a", "GPU-b"]);
  });

  it("leaves out what is fenced and keeps what is only suspect", () => {
    const sick = (fence: boolean) => ({ health: { reasons: [{ code: "lost", message: "It is lost.", fence }] } });

    expect(unitsOf(gpu("GPU-a", sick(true)), gpu("GPU-b", sick(false)))).toEqual(["GPU-b"]);
  });

  it("leaves out what has no memory or model that anybody could read", () => {
    const noMemory = gpu("GPU-a", { memory: { totalBytes: { unavailable: "error" } } });
    const noModel = gpu("GPU-b", { model: { unavailable: "error" } });

    expect(unitsOf(noMemory, noModel)).toEqual([]);
  });

  it("gives the partitions of a device in its place, each with its own memory", () => {
    const parent = GpuUuid.parse("GPU-a");
    const partitions = [0, 1].map((index) => ({
      uuid: GpuUuid.parse(`MIG-${index}`),
      kind: "mig" as const,
      parent,
      index,
      profile: "1g.10gb",
      computeSlices: 1,
      memory: { totalBytes: 10 * GIB },
    }));
    const gpus = [mergeReadings([gpu("GPU-a", { partitioned: true, partitions })])];

    expect(rentableUnits({ gpus })).toMatchObject([
      {
        uuid: "MIG-0",
        model: "NVIDIA H100 1g.10gb",
        memoryBytes: 10 * GIB,
        partition: { parent, profile: "1g.10gb", computeSlices: 1 },
      },
      { uuid: "MIG-1" },
    ]);
  });

  it("gives nothing of a device that is set to be cut and is not cut yet", () => {
    expect(unitsOf(gpu("GPU-a", { partitioned: true }))).toEqual([]);
  });
});

describe("gpuFacts", () => {
  const factsOf = (text: string) => {
    const inventory = simulatedGpus(text, "host");
    return gpuFacts(inventory.list(), inventory.snapshot());
  };

  it("tells every two devices' links, in the agent's schema", () => {
    const facts = factsOf("8xH100");

    expect(HostFacts.pick({ gpus: true, gpuLinks: true }).parse(facts)).toEqual(facts);
    expect(facts.gpuLinks).toHaveLength(28);
    expect(facts.gpuLinks[0]).toMatchObject({ nvlinks: 18, overSwitch: true });
  });

  it("leaves out what nobody could read", () => {
    const unread = { unavailable: "timeout" } as const;
    const pair = { a: GpuUuid.parse("GPU-a"), b: GpuUuid.parse("GPU-b"), path: "system" as const };
    const units = rentableUnits({ gpus: [gpu("GPU-a"), gpu("GPU-b")].map((one) => mergeReadings([one])) });

    const { gpuLinks } = gpuFacts(units, {
      pairs: [{ ...pair, nvlinks: unread, overSwitch: false, xgmiWeight: unread }],
    });

    expect(gpuLinks).toEqual([{ ...pair, overSwitch: false }]);
  });

  it("tells the links of a device that is cut, and none of a device that is not offered", () => {
    const inventory = simulatedGpus("3xH100", "host");
    const [whole, cut] = inventory.list();
    if (whole === undefined || cut === undefined) throw new Error("There are three.");
    const part = { ...cut, uuid: GpuUuid.parse("MIG-1"), partition: { parent: cut.uuid } };

    const { gpuLinks } = gpuFacts([whole, part], inventory.snapshot());

    expect(gpuLinks.map(({ a, b }) => [a, b])).toEqual([[whole.uuid, cut.uuid]]);
  });

  it("keeps to what the agent takes: 64 units, and links of 16 devices", () => {
    expect(factsOf("16xH100").gpuLinks).toHaveLength(120);
    expect(factsOf("17xH100").gpuLinks).toEqual([]);
    expect(factsOf("65xH100").gpus).toHaveLength(64);
  });
});
