/** Some of many waits may hang; the others are waited for. */
import { describe, expect, it } from "vitest";

import { whileTheyCome } from "../../../common/while-they-come.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const never = new Promise<void>(() => undefined);

describe("whileTheyCome", () => {
  it("ends as soon as all are there, also those that failed", async () => {
    await whileTheyCome(
      [Promise.resolve(), Promise.reject(new Error("x"))],
      new FakeClock(),
      new AbortController().signal,
    );
  });

  it("waits for the slow ones while they keep coming, and not for the one that hangs", async () => {
    const clock = new FakeClock();
    const settled: number[] = [];
    const slow = [200, 400, 600].map((ms) =>
      clock.sleep(ms, new AbortController().signal).then(() => settled.push(ms)),
    );
    const waiting = whileTheyCome([...slow, never], clock, new AbortController().signal);

    for (let ms = 0; ms < 40; ms += 1) await clock.advance(50);
    await waiting;

    expect(settled).toEqual([200, 400, 600]);
  });

  it("ends with the signal", async () => {
    await whileTheyCome([never], new FakeClock(), AbortSignal.abort());
  });
});
