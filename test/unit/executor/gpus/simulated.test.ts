/** Simulated GPUs are marked, stable on one host and different on another, and joined like real ones. */
import { describe, expect, it } from "vitest";

import type { GpuChange } from "../../../../executor/gpus/inventory.ts";
import { simulatedGpus } from "../../../../executor/gpus/simulated.ts";
import { Accelerators } from "../../../../protocol/accelerator.ts";

describe("simulatedGpus", () => {
  it("gives as many of each model as asked for, all of them marked", () => {
    const gpus = simulatedGpus("2xH100, 1xMI300X", "host").list();

    expect(gpus.map(({ vendor }) => vendor).toSorted()).toEqual(["amd", "nvidia", "nvidia"]);
    expect(gpus.every(({ simulated, uuid }) => simulated && uuid.startsWith("GPU-SIM-"))).toBe(true);
  });

  it("gives one host the same UUIDs again, and another host others", () => {
    const uuids = (seed: string): string[] =>
      simulatedGpus("8xH100", seed)
        .list()
        .map(({ uuid }) => uuid);

    expect(uuids("a")).toEqual(uuids("a"));
    expect(new Set([...uuids("a"), ...uuids("b")]).size).toBe(16);
  });

  it("is empty for an empty text", () => {
    expect(simulatedGpus("", "host").list()).toEqual([]);
  });

  it.each(["H100", "0xH100", "2xH9000", "2x", "1xH100:8x1g.10gb", "1xH100:1x1g.5gb", "1xL40S:1x1g.6gb"])(
    "refuses %s",
    (text) => {
      expect(() => simulatedGpus(text, "host")).toThrow(expect.objectContaining({ code: "config-invalid" }));
    },
  );

  it.each([
    ["8xH100", { nvlinks: 18, overSwitch: true }, 28],
    ["4xMI300X", { xgmiWeight: 15, nvlinks: 0 }, 6],
    ["2xArc", { nvlinks: 0, path: "system" }, 1],
  ])("joins the GPUs of %s as the vendor does", (text, pair, count) => {
    const { pairs } = simulatedGpus(text, "host").snapshot();

    expect(pairs).toHaveLength(count);
    for (const one of pairs) expect(one).toMatchObject(pair);
  });

  it.each([
    ["8xMI210", "xgmiWeight", 15, 12],
    ["16xMI300X", "xgmiWeight", 15, 56],
    ["2xMI210,2xMI300X", "xgmiWeight", 15, 2],
    ["8xH100NVL", "nvlinks", 12, 4],
    ["3xH100NVL", "nvlinks", 12, 1],
  ] as const)("joins no other GPUs of %s than the vendor does", (text, by, value, count) => {
    const { pairs } = simulatedGpus(text, "host").snapshot();

    expect(pairs.filter((pair) => pair[by] === value)).toHaveLength(count);
    expect(pairs.every(({ overSwitch }) => !overSwitch)).toBe(true);
  });

  it("puts two cards of eight behind one switch, four on one processor", () => {
    const { pairs } = simulatedGpus("8xRTX4090", "host").snapshot();
    const count = (path: string): number => pairs.filter((pair) => pair.path === path).length;

    expect([count("one-switch"), count("host-bridge"), count("system")]).toEqual([4, 8, 16]);
  });

  it("demand 19: shows a GPU that is cut into seven as seven units, and no more as one", () => {
    const inventory = simulatedGpus("1xH100:7x1g.10gb,1xH100", "host");
    const cut = inventory.list().filter(({ partition }) => partition !== undefined);

    expect(cut).toHaveLength(7);
    expect(inventory.list()).toHaveLength(8);
    expect(new Set(cut.map(({ uuid }) => uuid)).size).toBe(7);
    expect(cut[0]).toMatchObject({
      model: "NVIDIA H100 80GB HBM3 1g.10gb",
      memoryBytes: 10 * 2 ** 30,
      simulated: true,
      partition: { profile: "1g.10gb", computeSlices: 1, memorySlices: 1 },
    });
    expect(Accelerators.parse(inventory.snapshot())).toEqual(inventory.snapshot());
  });

  it("gives pictures that fit the schema, with places that are unique", () => {
    const snapshot = simulatedGpus("8xH100,8xMI300X,16xArc", "host").snapshot();

    expect(Accelerators.parse(snapshot)).toEqual(snapshot);
    expect(new Set(snapshot.gpus.map(({ pciAddress }) => pciAddress)).size).toBe(32);
  });

  it("takes a GPU with an injected fault out, tells so, and gives it back", () => {
    const inventory = simulatedGpus("2xH100", "host");
    const told: GpuChange[] = [];
    inventory.onChange((changes) => told.push(...changes));
    const uuid = inventory.list()[0]?.uuid;
    if (uuid === undefined) throw new Error("There is one.");
    inventory.inject(uuid, { code: "lost", message: "It is lost.", fence: true });

    expect(inventory.list().map((gpu) => gpu.uuid)).not.toContain(uuid);
    inventory.clear(uuid);
    expect(inventory.list()).toHaveLength(2);
    expect(told.map(({ kind }) => kind)).toEqual(["fenced", "cleared"]);
  });
});
