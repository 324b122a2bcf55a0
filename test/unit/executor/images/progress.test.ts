/** How fast a pull goes: what is told is never nonsense, whatever the engine says. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { createRateMeter } from "../../../../executor/images/progress.ts";

function sum(doneBytes: number, totalBytes: number, totalIsFinal = true) {
  return { doneBytes, totalBytes, totalIsFinal };
}

describe("a pull's progress", () => {
  it("tells the speed of the last seconds and the time that is left", () => {
    const meter = createRateMeter();
    meter(sum(0, 10_000), 0);
    const steady = meter(sum(1_000, 10_000), 1_000);
    for (let second = 2; second <= 20; second += 1) meter(sum(1_000 + (second - 1) * 100, 10_000), second * 1_000);
    const slower = meter(sum(3_000, 10_000), 21_000);

    expect(steady).toEqual({ doneBytes: 1_000, totalBytes: 10_000, bytesPerSecond: 1_000, etaSeconds: 9 });
    expect(slower).toEqual({ doneBytes: 3_000, totalBytes: 10_000, bytesPerSecond: 100, etaSeconds: 70 });
  });

  it("tells no time that is left while layers wait whose size nobody knows", () => {
    const meter = createRateMeter();
    meter(sum(0, 100, false), 0);

    expect(meter(sum(50, 100, false), 1_000)).toEqual({ doneBytes: 50, totalBytes: 100, bytesPerSecond: 50 });
    expect(meter(sum(100, 1_000, true), 2_000)).toMatchObject({ etaSeconds: 18 });
  });

  it("tells no speed from a moment's worth of bytes", () => {
    const meter = createRateMeter();
    meter(sum(0, 100), 0);

    expect(meter(sum(50, 100), 10)).toEqual({ doneBytes: 50, totalBytes: 100 });
  });

  it("tells no time that is left while nothing comes in", () => {
    const meter = createRateMeter();
    meter(sum(50, 100), 0);

    expect(meter(sum(50, 100), 60_000)).toEqual({ doneBytes: 50, totalBytes: 100, bytesPerSecond: 0 });
  });

  it("begins anew when the download does, and keeps the total", () => {
    const meter = createRateMeter();
    meter(sum(0, 1_000), 0);
    meter(sum(900, 1_000), 1_000);

    expect(meter(sum(0, 10, false), 2_000)).toEqual({ doneBytes: 0, totalBytes: 1_000 });
    expect(meter(sum(100, 1_000), 3_000)).toMatchObject({ bytesPerSecond: 100, etaSeconds: 9 });
  });

  it("has no negative number in it, and a total that never shrinks", () => {
    const told = fc.record({
      done: fc.nat(1_000),
      rest: fc.nat(1_000),
      totalIsFinal: fc.boolean(),
      laterMs: fc.nat(20_000),
    });
    fc.assert(
      fc.property(fc.array(told), (sums) => {
        const meter = createRateMeter();
        let [nowMs, total] = [0, 0];
        for (const { done, rest, totalIsFinal, laterMs } of sums) {
          nowMs += laterMs;
          const progress = meter(sum(done, done + rest, totalIsFinal), nowMs);

          expect(progress.totalBytes).toBeGreaterThanOrEqual(Math.max(total, progress.doneBytes));
          expect(progress.bytesPerSecond ?? 0).toSatisfy((rate: number) => Number.isInteger(rate) && rate >= 0);
          expect(progress.etaSeconds ?? 0).toSatisfy((eta: number) => Number.isInteger(eta) && eta >= 0);
          expect(totalIsFinal || progress.etaSeconds === undefined).toBe(true);
          total = progress.totalBytes;
        }
      }),
    );
  });
});
