/** What is rentable: whole devices, the partitions of cut ones, and nothing that is sick or unknown. */
import { describe, expect, it } from "vitest";

import { mergeReadings } from "../../../../executor/gpus/merge.ts";
import { rentableUnits } from "../../../../executor/gpus/units.ts";
import type { AcceleratorReading } from "../../../../protocol/accelerator.ts";
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
      memory: { totalBytes: 10 * GIB },
    }));
    const gpus = [mergeReadings([gpu("GPU-a", { partitioned: true, partitions })])];

    expect(rentableUnits({ gpus })).toMatchObject([
      { uuid: "MIG-0", model: "NVIDIA H100 1g.10gb", memoryBytes: 10 * GIB },
      { uuid: "MIG-1" },
    ]);
  });

  it("gives nothing of a device that is set to be cut and is not cut yet", () => {
    expect(unitsOf(gpu("GPU-a", { partitioned: true }))).toEqual([]);
  });
});
