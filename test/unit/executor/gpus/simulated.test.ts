/** Simulated GPUs are marked, stable on one host and different on another. */
import { describe, expect, it } from "vitest";

import { simulatedGpus } from "../../../../executor/gpus/simulated.ts";

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

  it.each(["H100", "0xH100", "2xH9000", "2x"])("refuses %s", (text) => {
    expect(() => simulatedGpus(text, "host")).toThrow(expect.objectContaining({ code: "config-invalid" }));
  });
});
