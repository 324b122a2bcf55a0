/** The system clock waits at least as long as asked and stops waiting when told; the fake one wakes sleepers in order. */
import { describe, expect, it } from "vitest";

import { systemClock } from "../../../common/clock.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const never = new AbortController().signal;

describe("the system clock", () => {
  it("sleeps for as long as it was asked", async () => {
    const clock = systemClock();
    const start = clock.monotonic();

    await clock.sleep(20, never);

    expect(clock.monotonic() - start).toBeGreaterThanOrEqual(19);
  });

  it("rejects with the signal's reason when aborted in its sleep", async () => {
    const abort = new AbortController();
    const asleep = systemClock().sleep(60_000, abort.signal);

    abort.abort(new Error("enough"));

    await expect(asleep).rejects.toThrow("enough");
  });

  it("does not begin to sleep under an aborted signal", async () => {
    await expect(systemClock().sleep(60_000, AbortSignal.abort(new Error("over")))).rejects.toThrow("over");
  });

  it("does not ask for more than Node's timers can count, which would fire at once", async () => {
    const abort = new AbortController();
    const warnings: Error[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning);
    process.on("warning", onWarning);
    const asleep = systemClock().sleep(2 ** 40, abort.signal);

    await systemClock().sleep(20, never);
    abort.abort(new Error("enough"));

    await expect(asleep).rejects.toThrow("enough");
    process.off("warning", onWarning);
    expect(warnings).toEqual([]);
  });
});

describe("the fake clock", () => {
  it("wakes sleepers in the order of their times, and lets each act before the next", async () => {
    const clock = new FakeClock(0);
    const seen: string[] = [];
    const sleeper = async (name: string, ms: number): Promise<void> => {
      await clock.sleep(ms, never);
      seen.push(`${name} at ${clock.now()}`);
    };
    void sleeper("late", 30).then(() => sleeper("again", 5));
    void sleeper("early", 10);

    await clock.advance(40);

    expect(seen).toEqual(["early at 10", "late at 30", "again at 35"]);
    expect(clock.now()).toBe(40);
  });

  it("wakes nobody before the time", async () => {
    const clock = new FakeClock();
    let woke = false;
    void clock.sleep(10, never).then(() => (woke = true));

    await clock.advance(9);
    expect(woke).toBe(false);

    await clock.advance(1);
    expect(woke).toBe(true);
  });

  it("rejects an aborted sleeper and forgets it", async () => {
    const clock = new FakeClock();
    const abort = new AbortController();
    const asleep = clock.sleep(10, abort.signal);

    abort.abort(new Error("enough"));

    await expect(asleep).rejects.toThrow("enough");
    expect(clock.sleeping).toBe(0);
  });

  it("tells when somebody sleeps, and jumps without waking anybody", async () => {
    const clock = new FakeClock(0);
    const waiting = clock.untilSleeping(2);
    void clock.sleep(10, never);
    void clock.sleep(10, never);
    await waiting;

    clock.jump(5000);

    expect(clock.sleeping).toBe(2);
    expect([clock.now(), clock.monotonic()]).toEqual([5000, 0]);
  });
});
