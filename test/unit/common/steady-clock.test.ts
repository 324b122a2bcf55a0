/** A clock that is followed while it runs like one, and not believed at once when it jumps. */
import fc from "fast-check";
import { beforeEach, expect, it } from "vitest";

import type { Clock } from "../../../common/clock.ts";
import { steadyClock } from "../../../common/steady-clock.ts";

const POLICY = { toleranceMs: 30_000, believeAfterMs: 900_000 };
let wall: number;
let monotonic: number;
let jumps: number[];
let clock: Clock;
let restart: (offsetMs: number) => Clock;

beforeEach(() => {
  wall = Date.UTC(2026, 0, 1);
  monotonic = 5_000;
  jumps = [];
  const base = { now: () => wall, monotonic: () => monotonic, sleep: async () => undefined };
  const onJump = (byMs: number): void => void jumps.push(byMs);
  clock = steadyClock(base, { policy: POLICY, onJump });
  restart = (offsetMs) => steadyClock(base, { policy: POLICY, onJump, offsetMs });
});

function pass(ms: number): void {
  wall += ms;
  monotonic += ms;
}

it("follows the machine's clock, small corrections included", () => {
  pass(60_000);
  wall += 20_000;

  expect(clock.now()).toBe(wall);
  expect(jumps).toEqual([]);
});

it.each([3_600_000, -3_600_000])("a jump by %i ms is told once and not followed", (byMs) => {
  const before = clock.now();
  wall += byMs;
  pass(600_000);
  clock.now();

  expect(clock.now()).toBe(before + 600_000);
  expect(jumps).toEqual([byMs]);
});

it("a jump while nobody looked is not believed either, where the clock is known from before", () => {
  const offsetMs = clock.now() - clock.monotonic();
  pass(60_000);
  wall += 7_200_000;

  expect(restart(offsetMs).now()).toBe(wall - 7_200_000);
  expect(jumps).toEqual([7_200_000]);
});

it("a jump that is taken back leaves no trace", () => {
  wall += 3_600_000;
  clock.now();
  wall -= 3_600_000;
  pass(1_000_000);

  expect(clock.now()).toBe(wall);
});

it("a jump that stays is believed in the end", () => {
  wall += 3_600_000;
  clock.now();
  pass(900_000);

  expect(clock.now()).toBe(wall);
});

it("between jumps it never runs faster or slower than time", () => {
  const steps = fc.array(
    fc.record({ ms: fc.integer({ min: 1, max: 10_000 }), jump: fc.integer({ min: -1e7, max: 1e7 }) }),
    {
      maxLength: 50,
    },
  );
  fc.assert(
    fc.property(steps, (list) => {
      const start = clock.now();
      const began = monotonic;
      for (const { ms, jump } of list) {
        pass(ms);
        const back = wall;
        wall += jump;
        clock.now();
        wall = back;
      }
      expect(Math.abs(clock.now() - start - (monotonic - began))).toBeLessThanOrEqual(POLICY.toleranceMs);
    }),
  );
});
