/** Several sources speak of one device: the first that knows a field wins, and what is unknown stays unknown. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { firstKnown, unavailable } from "../../../../executor/gpus/known.ts";
import { mergeReadings } from "../../../../executor/gpus/merge.ts";
import { Accelerator, type AcceleratorReading, UnavailableReason } from "../../../../protocol/accelerator.ts";
import { GpuUuid } from "../../../../protocol/ids.ts";

const uuid = GpuUuid.parse("GPU-1");
const base: AcceleratorReading = { uuid, vendor: "nvidia" };

describe("mergeReadings", () => {
  it("takes each field from the first source that knows it", () => {
    const merged = mergeReadings([
      { ...base, model: unavailable("error"), memory: { totalBytes: 8 }, sources: ["nvml"] },
      { ...base, model: "H100", memory: { totalBytes: 9, usedBytes: 1 }, sources: ["sysfs"] },
    ]);

    expect(merged).toMatchObject({ model: "H100", memory: { totalBytes: 8, usedBytes: 1 } });
    expect(merged.sources).toEqual(["nvml", "sysfs"]);
  });

  it("leaves what nobody read as not read, never as zero", () => {
    const merged = mergeReadings([base]);

    expect(merged.utilisation.gpuPercent).toEqual({ unavailable: "not-read" });
    expect(merged.processes).toEqual({ unavailable: "not-read" });
  });

  it("keeps a zero and an empty list that somebody read", () => {
    const merged = mergeReadings([
      { ...base, utilisation: { gpuPercent: 0 }, processes: [] },
      { ...base, utilisation: { gpuPercent: 50 }, processes: unavailable("error") },
    ]);

    expect(merged.utilisation.gpuPercent).toBe(0);
    expect(merged.processes).toEqual([]);
  });

  it("keeps the reason that says most where nobody knows the value", () => {
    const merged = mergeReadings([
      { ...base, serial: unavailable("not-supported") },
      { ...base, serial: unavailable("lost") },
      { ...base, serial: unavailable("no-permission") },
    ]);

    expect(merged.serial).toEqual({ unavailable: "lost" });
  });

  it("gathers the reasons of all sources, and one that fences fences", () => {
    const reason = (code: string, fence: boolean) => ({ code, message: code, fence });
    const merged = mergeReadings([
      { ...base, health: { reasons: [reason("hot", false)] } },
      { ...base, health: { reasons: [reason("lost", true), reason("hot", true)] } },
    ]);

    expect(merged.health).toEqual({ state: "fenced", reasons: [reason("hot", false), reason("lost", true)] });
  });

  it("gives a whole reading back as it is, whatever else is added of less trust", () => {
    const value = fc.oneof(
      fc.nat(99),
      fc.constantFrom(...UnavailableReason.options).map((one) => unavailable(one)),
    );
    const reading = fc.record({ gpuPercent: value, memoryPercent: value }, { requiredKeys: [] });
    fc.assert(
      fc.property(reading, reading, (first, second) => {
        const alone = mergeReadings([{ ...base, utilisation: first }]);
        const both = mergeReadings([alone, { ...base, utilisation: second }]);

        expect(mergeReadings([alone, alone])).toEqual(alone);
        expect(Accelerator.parse(both)).toEqual(both);
        const expected = firstKnown(alone.utilisation.gpuPercent, second.gpuPercent ?? unavailable("not-read"));
        expect(both.utilisation.gpuPercent).toEqual(expected);
      }),
    );
  });
});
