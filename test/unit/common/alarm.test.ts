/** A sleep ends at its time, at a ring, or with its signal. */
import { expect, it } from "vitest";

import { Alarm } from "../../../common/alarm.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const open = new AbortController().signal;

it("a wait ends at its time and not before", async () => {
  const clock = new FakeClock();
  const alarm = new Alarm(clock);
  let over = false;
  const waiting = alarm.wait(100, open).then(() => (over = true));

  await clock.advance(99);
  const early = over;
  await clock.advance(1);
  await waiting;

  expect(early).toBe(false);
});

it("a ring ends it, also one that came before the wait", async () => {
  const alarm = new Alarm(new FakeClock());
  const waiting = alarm.wait(1_000, open);
  alarm.ring();
  await waiting;
  await alarm.wait(1_000, open);
});

it("a ring from before the alarm was armed does not count", async () => {
  const clock = new FakeClock();
  const alarm = new Alarm(clock);
  alarm.ring();
  alarm.arm();
  let over = false;
  const waiting = alarm.wait(10, open).then(() => (over = true));

  await clock.advance(9);
  const early = over;
  await clock.advance(1);
  await waiting;

  expect(early).toBe(false);
});

it("a signal ends it", async () => {
  await new Alarm(new FakeClock()).wait(1_000, AbortSignal.abort());
});
