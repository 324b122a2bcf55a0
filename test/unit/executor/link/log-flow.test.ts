/** Lines that are there go together, none waits for another, and none goes faster than the pace. */
import { describe, expect, it } from "vitest";

import { batchesOf, LogPace, LogWindow } from "../../../../executor/link/log-flow.ts";
import type { LogLine } from "../../../../protocol/pod.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

const NEVER = new AbortController().signal;

function line(text: string): LogLine {
  return { at: "", stream: "stdout", line: text };
}

async function sizes(lines: AsyncIterable<LogLine>, maxBytes: number): Promise<number[]> {
  const seen: number[] = [];
  for await (const batch of batchesOf(lines, maxBytes)) seen.push(batch.lines.length);
  return seen;
}

describe("batchesOf", () => {
  it("puts together what is there, up to the limit", async () => {
    async function* many() {
      for (let n = 0; n < 25; n += 1) yield line("x".repeat(72));
    }

    expect(await sizes(many(), 2_000)).toEqual([10, 10, 5]);
  });

  it("lets no line wait for the next one", async () => {
    const gate = Promise.withResolvers<void>();
    async function* slowly() {
      yield line("first");
      await gate.promise;
      yield line("second");
    }
    const batches = batchesOf(slowly(), 1_000_000);

    const first = await batches.next();
    gate.resolve();
    const second = await batches.next();

    expect([first, second].map(({ value }) => value?.lines.map((each: LogLine) => each.line))).toEqual([
      ["first"],
      ["second"],
    ]);
    expect(await batches.next()).toMatchObject({ done: true });
  });

  it("gives what came before a failure, then the failure", async () => {
    async function* failing() {
      yield line("last words");
      throw new Error("gone");
    }
    const batches = batchesOf(failing(), 1_000_000);

    expect(await batches.next()).toMatchObject({ value: { lines: [{ line: "last words" }] } });
    await expect(batches.next()).rejects.toThrow("gone");
  });

  it("tells the lines when nobody reads on", async () => {
    let told = false;
    async function* endless() {
      try {
        for (;;) yield line("");
      } finally {
        told = true;
      }
    }
    const batches = batchesOf(endless(), 1_000);
    await batches.next();

    await batches.return(undefined);

    expect(told).toBe(true);
  });
});

describe("LogWindow", () => {
  it("waits when it is full, until enough was taken", async () => {
    const window = new LogWindow(100);
    await window.sent(100, NEVER);
    let passed = false;

    const waiting = window.sent(50, NEVER).then(() => (passed = true));
    window.taken(49);
    await new Promise((resolve) => setImmediate(resolve));
    expect(passed).toBe(false);
    window.taken(1);

    expect(await waiting).toBe(true);
  });

  it("waits no longer than its reader stays", async () => {
    const window = new LogWindow(100);
    const left = new AbortController();

    const waiting = window.sent(101, left.signal);
    left.abort(new Error("left"));

    await expect(waiting).rejects.toThrow("left");
  });
});

describe("LogPace", () => {
  it("lets a burst pass, then no more than its rate", async () => {
    const clock = new FakeClock();
    const pace = new LogPace({ burstBytes: 1_000, bytesPerSecond: 100 }, { clock });

    await pace.spend(1_000, NEVER);
    let passed = false;
    const waiting = pace.spend(200, NEVER).then(() => (passed = true));
    await clock.untilSleeping();
    await clock.advance(1_999);
    expect(passed).toBe(false);
    await clock.advance(1);
    await waiting;

    expect(passed).toBe(true);
  });

  it("saves up no more than a burst while nothing goes", async () => {
    const clock = new FakeClock();
    const pace = new LogPace({ burstBytes: 1_000, bytesPerSecond: 100 }, { clock });
    await clock.advance(1_000_000);
    await pace.spend(1_000, NEVER);
    const stop = new AbortController();

    const late = pace.spend(1, stop.signal);
    await clock.untilSleeping();
    stop.abort(new Error("stopped"));

    await expect(late).rejects.toThrow("stopped");
  });
});
