/** Waiting grows with each failure, never beyond the cap, and is partly chance. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { backoffMs } from "../../../common/backoff.ts";

const highest = (): number => 1 - Number.EPSILON;

describe("the backoff", () => {
  it("lies between half and all of the doubled delay, and never above the cap", () => {
    const cases = fc.record({
      attempt: fc.integer({ min: 1, max: 5000 }),
      firstDelayMs: fc.integer({ min: 1, max: 10_000 }),
      maxDelayMs: fc.integer({ min: 1, max: 3_600_000 }),
      chance: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    });

    fc.assert(
      fc.property(cases, ({ attempt, firstDelayMs, maxDelayMs, chance }) => {
        const delay = backoffMs(attempt, { firstDelayMs, maxDelayMs }, () => chance);
        const full = Math.min(maxDelayMs, firstDelayMs * 2 ** Math.min(attempt - 1, 100));

        expect(delay).toBeGreaterThanOrEqual(full / 2);
        expect(delay).toBeLessThanOrEqual(full);
      }),
    );
  });

  it("doubles from try to try", () => {
    const delays = [1, 2, 3, 4, 5].map((attempt) =>
      Math.round(backoffMs(attempt, { firstDelayMs: 100, maxDelayMs: 1000 }, highest)),
    );

    expect(delays).toEqual([100, 200, 400, 800, 1000]);
  });
});
