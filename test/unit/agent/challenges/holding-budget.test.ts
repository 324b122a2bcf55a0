/** Validators may keep GPUs from renters for ten minutes in an hour, whatever they ask. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { HoldingBudget } from "../../../../agent/challenges/holding-budget.ts";

const MINUTE = 60_000;

describe("a validator", () => {
  it("that has held GPUs for ten minutes waits until some of them have come back", () => {
    const budget = new HoldingBudget();
    budget.spend("v", 9 * MINUTE, 10 * MINUTE);
    expect(budget.waitMs("v", 10 * MINUTE)).toBe(0);
    budget.spend("v", 2 * MINUTE, 12 * MINUTE);
    const waitMs = budget.waitMs("v", 12 * MINUTE);

    expect(waitMs).toBeGreaterThan(0);
    expect(budget.waitMs("v", 12 * MINUTE + waitMs)).toBe(0);
    expect(budget.waitMs("another", 12 * MINUTE)).toBe(0);
  });

  it("never has more than ten minutes, one more holding, and a sixth of the time in all", () => {
    const holdings = fc.array(fc.tuple(fc.nat(20 * MINUTE), fc.nat(20 * MINUTE)), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(holdings, (tries) => {
        const budget = new HoldingBudget();
        let [nowMs, heldMs, longest] = [0, 0, 0];
        for (const [pauseMs, wantedMs] of tries) {
          nowMs += Math.max(pauseMs, budget.waitMs("v", nowMs));
          expect(budget.waitMs("v", nowMs)).toBe(0);
          nowMs += wantedMs;
          heldMs += wantedMs;
          longest = Math.max(longest, wantedMs);
          budget.spend("v", wantedMs, nowMs);
        }

        expect(heldMs).toBeLessThanOrEqual(10 * MINUTE + longest + nowMs / 6 + 1);
      }),
    );
  });
});
