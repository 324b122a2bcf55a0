/** Retrying waits longer each time, never beyond the cap, and knows when to stop. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { backoffMs, type FailedTry, retry } from "../../../common/retry.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const never = new AbortController().signal;
const highest = (): number => 1 - Number.EPSILON;

function settings(clock: FakeClock) {
  return { clock, random: () => 0, attempts: 3, firstDelayMs: 100, maxDelayMs: 1000 };
}

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

describe("a retry", () => {
  it("gives what the work returned at last", async () => {
    const clock = new FakeClock();
    const failed: FailedTry[] = [];
    const options = { ...settings(clock), onFailedTry: (entry: FailedTry) => failed.push(entry) };
    const result = retry(
      (attempt) => (attempt < 3 ? Promise.reject(new Error("no")) : Promise.resolve(attempt)),
      options,
      never,
    );

    await clock.advance(50 + 100);

    expect(await result).toBe(3);
    expect(failed.map(({ attempt, delayMs }) => [attempt, delayMs])).toEqual([
      [1, 50],
      [2, 100],
    ]);
  });

  it("throws the last error when the tries are used up", async () => {
    const clock = new FakeClock();
    let tries = 0;
    const result = retry(() => Promise.reject(new Error(`try ${(tries += 1)}`)), settings(clock), never);

    const [outcome] = await Promise.allSettled([result, clock.advance(10_000)]);

    expect(outcome).toEqual({ status: "rejected", reason: new Error("try 3") });
    expect(tries).toBe(3);
  });

  it("gives up at once on an error that will not pass", async () => {
    const clock = new FakeClock();
    let tries = 0;
    const work = (): Promise<never> => Promise.reject(new Error(`try ${(tries += 1)}`));

    await expect(retry(work, { ...settings(clock), mayPass: () => false }, never)).rejects.toThrow("try 1");
  });

  it("stops waiting when aborted", async () => {
    const clock = new FakeClock();
    const abort = new AbortController();
    const result = retry(
      () => Promise.reject(new Error("no")),
      { ...settings(clock), attempts: Infinity },
      abort.signal,
    );
    await clock.untilSleeping();

    abort.abort(new Error("enough"));

    await expect(result).rejects.toThrow("enough");
    expect(clock.sleeping).toBe(0);
  });

  it("does not try at all under an aborted signal", async () => {
    let tries = 0;
    const work = async (): Promise<number> => (tries += 1);

    await expect(retry(work, settings(new FakeClock()), AbortSignal.abort(new Error("over")))).rejects.toThrow("over");
    expect(tries).toBe(0);
  });
});
