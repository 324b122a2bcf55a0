/** An engine that hangs is told from one that is slow once, and what ended around an outage is known. */
import { afterEach, beforeEach, expect, it } from "vitest";

import { createLogger } from "../../../../common/logger.ts";
import { EngineWatch } from "../../../../executor/health/engine-watch.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

const log = createLogger({ name: "test", level: "error", output: { write: () => undefined } });
let clock: FakeClock;
let engine: "answers" | "refuses" | "hangs";
let watch: EngineWatch;
let changes: boolean[];

beforeEach(() => {
  clock = new FakeClock();
  engine = "answers";
  changes = [];
  watch = new EngineWatch({ everyMs: 5_000, deadlineMs: 10 }, { clock, log, ping });
  watch.onChange(() => changes.push(watch.answering));
});
afterEach(() => watch.close());

async function ping(signal: AbortSignal): Promise<void> {
  if (engine === "refuses") throw new Error("connect ECONNREFUSED");
  if (engine === "hangs") {
    await new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));
  }
}

it("an engine that refuses the connection is gone at once", async () => {
  engine = "refuses";

  await watch.ask();

  expect(watch.answering).toBe(false);
  expect(watch.silentSinceMs).toBe(clock.now());
});

it("one that is slow once is not, one that is slow twice in a row is", async () => {
  engine = "hangs";
  await watch.ask();
  const once = watch.answering;
  await watch.ask();

  expect([once, watch.answering]).toEqual([true, false]);
});

it("a good answer in between makes a slow one count as the first again", async () => {
  for (const state of ["hangs", "answers", "hangs"] as const) {
    engine = state;
    await watch.ask();
  }

  expect(watch.answering).toBe(true);
});

it("listeners are told of each change once", async () => {
  for (const state of ["refuses", "refuses", "answers", "answers", "refuses"] as const) {
    engine = state;
    await watch.ask();
  }

  expect(changes).toEqual([false, true, false]);
});

it("knows what may have ended with the engine: from shortly before an outage until shortly after it", async () => {
  engine = "refuses";
  await watch.ask();
  const beganMs = clock.now();
  await clock.advance(300_000);
  engine = "answers";
  await watch.ask();
  const endedMs = clock.now();

  expect(watch.wentDownAround(beganMs - 10_000)).toBe(true);
  expect(watch.wentDownAround(beganMs + 150_000)).toBe(true);
  expect(watch.wentDownAround(endedMs + 30_000)).toBe(true);
  expect(watch.wentDownAround(beganMs - 60_000)).toBe(false);
  expect(watch.wentDownAround(endedMs + 120_000)).toBe(false);
});

it("asks by itself while it runs", async () => {
  watch.start();
  await clock.advance(1);
  engine = "refuses";
  await clock.advance(5_000);

  expect(watch.answering).toBe(false);
});
