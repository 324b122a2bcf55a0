/** A ticker keeps its beat: one run at a time, late ticks dropped, errors reported, an end that can be awaited. */
import { describe, expect, it } from "vitest";

import { startTicker } from "../../../common/ticker.ts";
import { FakeClock } from "../../support/fake-clock.ts";

function ticking(run: (signal: AbortSignal) => Promise<void>, clock = new FakeClock(0)) {
  const abort = new AbortController();
  const errors: unknown[] = [];
  const options = { clock, everyMs: 100, run, onError: (error: unknown) => errors.push(error) };
  return { clock, abort, errors, ticker: startTicker(options, abort.signal) };
}

describe("a ticker", () => {
  it("runs at once and then on every beat", async () => {
    const at: number[] = [];
    const clock = new FakeClock(0);
    ticking(async () => void at.push(clock.now()), clock);

    await clock.advance(250);

    expect(at).toEqual([0, 100, 200]);
  });

  it("drops the ticks that come while a run is under way, and keeps the beat", async () => {
    const at: number[] = [];
    const clock = new FakeClock(0);
    ticking(async (signal) => {
      at.push(clock.now());
      if (at.length === 1) await clock.sleep(230, signal);
    }, clock);

    await clock.advance(420);

    expect(at).toEqual([0, 300, 400]);
  });

  it("reports an error and goes on", async () => {
    let runs = 0;
    const { clock, errors } = ticking(async () => {
      runs += 1;
      if (runs === 1) throw new Error("first");
    });

    await clock.advance(100);

    expect(runs).toBe(2);
    expect(errors).toEqual([new Error("first")]);
  });

  it("knows when a run last succeeded", async () => {
    let runs = 0;
    const { clock, ticker } = ticking(async () => {
      runs += 1;
      if (runs !== 2) throw new Error("no");
    });

    await clock.advance(50);
    expect(ticker.lastSuccess).toBeUndefined();

    await clock.advance(300);
    expect(ticker.lastSuccess).toBe(100);
  });

  it("is done when the signal aborted and the last run is over, and reports no error for it", async () => {
    const finishing = Promise.withResolvers<void>();
    const { abort, errors, ticker } = ticking(async (signal) => {
      await finishing.promise;
      signal.throwIfAborted();
    });
    let done = false;
    const ended = ticker.done.then(() => (done = true));

    abort.abort();
    await Promise.resolve();
    expect(done).toBe(false);

    finishing.resolve();
    await ended;
    expect(errors).toEqual([]);
  });

  it("stops its wait when aborted", async () => {
    const { clock, abort, ticker } = ticking(() => Promise.resolve());
    await clock.untilSleeping();

    abort.abort();

    await ticker.done;
    expect(clock.sleeping).toBe(0);
  });
});
