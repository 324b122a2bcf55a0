/** A bucket never lets more through than its burst and its rate, never keeps anybody waiting for longer than it says. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { Buckets, type Rate, refill, waitFor } from "../../../common/token-bucket.ts";

const rates: fc.Arbitrary<Rate> = fc.record({
  perSecond: fc.double({ min: 0.01, max: 1_000, noNaN: true }),
  burst: fc.integer({ min: 1, max: 100 }),
});
/** Milliseconds between one request and the next; now and then a clock goes back. */
const gaps = fc.array(fc.oneof(fc.integer({ min: 0, max: 5_000 }), fc.integer({ min: -1_000, max: 0 })), {
  minLength: 1,
  maxLength: 200,
});

function timesOf(steps: readonly number[]): number[] {
  let now = 10_000;
  return steps.map((step) => (now += step));
}

describe("a bucket", () => {
  it("lets no more through in any time than its burst and what comes back meanwhile", () => {
    fc.assert(
      fc.property(rates, gaps, (rate, steps) => {
        const buckets = new Buckets(rate);
        const passed = timesOf(steps).filter((now) => buckets.take("a", now) === 0);

        passed.sort((a, b) => a - b);
        for (let first = 0; first < passed.length; first += 1) {
          for (let last = first; last < passed.length; last += 1) {
            const seconds = (passed[last]! - passed[first]!) / 1000;
            const clockWentBack = Math.max(0, ...steps.map((step) => -step)) * steps.length;
            const most = rate.burst + ((seconds * 1000 + clockWentBack) / 1000) * rate.perSecond + 1e-6;
            expect(last - first + 1).toBeLessThanOrEqual(Math.ceil(most));
          }
        }
      }),
      { numRuns: 50 },
    );
  });

  it("lets its whole burst through at once, and nobody after", () => {
    fc.assert(
      fc.property(rates, fc.integer({ min: 0, max: 1e9 }), (rate, now) => {
        const buckets = new Buckets(rate);
        const waits = Array.from({ length: rate.burst + 1 }, () => buckets.take("a", now));

        expect(waits.slice(0, -1)).toEqual(Array.from({ length: rate.burst }, () => 0));
        expect(waits.at(-1)).toBeGreaterThan(0);
      }),
    );
  });

  it("lets whoever waits as long as it says through, and whoever comes earlier not", () => {
    fc.assert(
      fc.property(rates, gaps, (rate, steps) => {
        const buckets = new Buckets(rate);
        const times = timesOf(steps);
        for (const now of times) buckets.take("a", now);
        const last = Math.max(...times);
        const waitMs = buckets.look("a", last);

        expect(waitMs <= 1 || buckets.look("a", last + waitMs - 1) > 0).toBe(true);
        expect(buckets.take("a", last + waitMs)).toBe(0);
      }),
    );
  });

  it("holds between nothing and its burst, whatever the clock does", () => {
    fc.assert(
      fc.property(rates, fc.double({ min: 0, max: 1, noNaN: true }), gaps, (rate, share, steps) => {
        let bucket = { tokens: share * rate.burst, atMs: 10_000 };
        for (const now of timesOf(steps)) {
          const { tokens } = (bucket = refill(bucket, rate, now));
          expect(tokens >= 0 && tokens <= rate.burst && waitFor(bucket, rate) >= 0).toBe(true);
        }
      }),
    );
  });

  it("is not spent by looking", () => {
    const buckets = new Buckets({ perSecond: 1, burst: 1 });

    expect([buckets.look("a", 0), buckets.look("a", 0), buckets.take("a", 0)]).toEqual([0, 0, 0]);
    expect(buckets.look("a", 0)).toBe(1_000);
  });
});

describe("a table of buckets", () => {
  it("keeps callers apart", () => {
    const buckets = new Buckets({ perSecond: 1, burst: 1 });
    buckets.take("a", 0);

    const others = Array.from({ length: 100 }, (_, n) => buckets.take(`caller ${n}`, 0));

    // One in 164 times two of these hundred share a bucket, and one of them waits; nearly all of them never do.
    expect(others.filter((waitMs) => waitMs === 0).length).toBeGreaterThan(95);
  });

  it("does not forget who is over the limit, however many others come, and grows by none of them", () => {
    const buckets = new Buckets({ perSecond: 0.001, burst: 1 }, 64);
    buckets.take("a", 0);

    for (let n = 0; n < 10_000; n += 1) buckets.take(`caller ${n}`, 0);

    expect(buckets.look("a", 0)).toBeGreaterThan(0);
    expect(buckets.take("one more", 0)).toBeGreaterThan(0);
  });
});
