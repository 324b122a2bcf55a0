/** A daemon closes in reverse order, in bounded time, at the first signal; the second one ends it at once. */
import { EventEmitter } from "node:events";

import { describe, expect, it } from "vitest";

import { createLifecycle, type Lifecycle, runDaemon } from "../../../common/lifecycle.ts";
import { createLogger } from "../../../common/logger.ts";
import { FakeClock } from "../../support/fake-clock.ts";

class FakeProcess extends EventEmitter {
  readonly exits: number[] = [];

  exit(code: number): void {
    this.exits.push(code);
  }
}

function living() {
  const lines: string[] = [];
  const log = createLogger({ name: "test", level: "info", output: { write: (line) => lines.push(line) } });
  const clock = new FakeClock();
  const fakeProcess = new FakeProcess();
  const life = createLifecycle({ log, deadlineMs: 1000, clock, process: fakeProcess });
  return { life, clock, fakeProcess, lines };
}

describe("a lifecycle", () => {
  it("closes the parts in reverse of the order they were added in", async () => {
    const { life } = living();
    const closed: string[] = [];
    life.add("store", () => void closed.push("store"));
    life.add("link", async () => void closed.push("link"));
    life.add("api", () => void closed.push("api"));

    life.stop("the test is over");

    expect(await life.run()).toEqual([]);
    expect(closed).toEqual(["api", "link", "store"]);
  });

  it.each(["SIGTERM", "SIGINT"] as const)(
    "%s aborts the signal of all loops before any part is closed",
    async (name) => {
      const { life, fakeProcess } = living();
      let abortedFirst: boolean | undefined;
      life.add("part", () => {
        abortedFirst = life.signal.aborted;
      });
      const ended = life.run();
      expect(life.signal.aborted).toBe(false);

      fakeProcess.emit(name);

      await ended;
      expect(abortedFirst).toBe(true);
      expect(fakeProcess.exits).toEqual([]);
    },
  );

  it("a second signal exits with 1 at once, without waiting for the parts", async () => {
    const { life, fakeProcess } = living();
    life.add("stuck", () => new Promise(() => undefined));
    void life.run();

    fakeProcess.emit("SIGTERM");
    expect(fakeProcess.exits).toEqual([]);
    fakeProcess.emit("SIGINT");

    expect(fakeProcess.exits).toEqual([1]);
  });

  it("the first signal after a stop of our own does not cut the close short", async () => {
    const { life, fakeProcess } = living();
    life.stop("a reason of our own");

    fakeProcess.emit("SIGTERM");

    await life.run();
    expect(fakeProcess.exits).toEqual([]);
  });

  it("a part that misses its deadline is named, and the others are closed all the same", async () => {
    const { life, clock, lines } = living();
    const closed: string[] = [];
    life.add("store", () => void closed.push("store"));
    life.add("stuck", () => new Promise(() => undefined));
    life.add("api", () => void closed.push("api"));
    life.stop("the test is over");
    const ended = life.run();

    await clock.advance(1000);

    expect(await ended).toEqual(["stuck"]);
    expect(closed).toEqual(["api", "store"]);
    expect(lines.join("")).toContain("stuck was not closed within 1000 ms");
  });

  it("a part that throws is named, and the others are closed all the same", async () => {
    const { life } = living();
    const closed: string[] = [];
    life.add("store", () => void closed.push("store"));
    life.add("late", () => Promise.reject(new Error("later")));
    life.add("early", () => {
      throw new Error("at once");
    });
    life.stop("the test is over");

    expect(await life.run()).toEqual(["early", "late"]);
    expect(closed).toEqual(["store"]);
  });

  it("a part added by a start-up that did not notice the signal is closed too", async () => {
    const { life, fakeProcess } = living();
    const closed: string[] = [];
    fakeProcess.emit("SIGTERM");
    life.add("late comer", () => void closed.push("late comer"));

    await life.run();

    expect(closed).toEqual(["late comer"]);
  });

  it("leaves no listener and no timer behind", async () => {
    const { life, clock, fakeProcess } = living();
    life.add("part", () => Promise.resolve());
    life.stop("the test is over");

    await life.run();

    expect(fakeProcess.eventNames()).toEqual([]);
    expect(clock.sleeping).toBe(0);
  });
});

describe("a daemon", () => {
  const log = createLogger({ name: "test", level: "silent" });
  const run = (start: (life: Lifecycle) => Promise<void>): Promise<void> =>
    runDaemon({ log, deadlineMs: 1000, clock: new FakeClock(), process: new FakeProcess() }, start);

  it("whose start fails closes what it had made, and says what failed", async () => {
    const closed: string[] = [];

    const running = run(async (life) => {
      life.add("store", () => void closed.push("store"));
      throw new Error("no port");
    });

    await expect(running).rejects.toThrow("no port");
    expect(closed).toEqual(["store"]);
  });

  it("ends well when every part closes, and not when one does not", async () => {
    const good = run(async (life) => life.stop("the test is over"));
    const bad = run(async (life) => {
      life.add("link", () => {
        throw new Error("stuck");
      });
      life.stop("the test is over");
    });

    await expect(good).resolves.toBeUndefined();
    await expect(bad).rejects.toMatchObject({ code: "internal", message: expect.stringContaining("link") });
  });
});
