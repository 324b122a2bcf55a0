/** A nonce is spent once, is forgotten only when it has expired, and a full memory lets nobody in by mistake. */
import { describe, expect, it } from "vitest";

import { createReplayStore } from "../../../../agent/validator/replay.ts";
import { Hotkey } from "../../../../protocol/ids.ts";
import { OTHER_OWNER } from "../../../support/agent-builders.ts";
import { OWNER } from "../../../support/builders.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

const [ALICE, BOB] = [Hotkey.parse(OWNER), Hotkey.parse(OTHER_OWNER)];

function store(capacity?: number) {
  const clock = new FakeClock();
  const replay = createReplayStore(clock, capacity);
  return { clock, remember: (hotkey: Hotkey, nonce: bigint) => replay.remember(hotkey, nonce, clock.now() + 12_000) };
}

describe("the replay store", () => {
  it("knows a nonce again, for each hotkey alone", async () => {
    const { remember } = store();

    const asked = [remember(ALICE, 7n), remember(ALICE, 7n), remember(BOB, 7n), remember(ALICE, 8n)];

    expect(await Promise.all(asked)).toEqual([true, false, true, true]);
  });

  it("says whether it knows a nonce, without remembering it", async () => {
    const clock = new FakeClock();
    const replay = createReplayStore(clock);

    expect(replay.knows(ALICE, 7n)).toBe(false);
    await replay.remember(ALICE, 7n, clock.now() + 12_000);
    expect([replay.knows(ALICE, 7n), replay.knows(BOB, 7n), replay.knows(ALICE, 8n)]).toEqual([true, false, false]);
  });

  it("tells nonces apart that are the same as a floating-point number", async () => {
    const { remember } = store();

    expect(await remember(ALICE, 2n ** 63n)).toBe(true);
    expect(await remember(ALICE, 2n ** 63n + 1n)).toBe(true);
  });

  it("forgets a nonce when it has expired and not before", async () => {
    const { clock, remember } = store();
    await remember(ALICE, 7n);

    await clock.advance(11_999);
    expect(await remember(ALICE, 7n)).toBe(false);
    await clock.advance(1);
    expect(await remember(ALICE, 7n)).toBe(true);
  });

  it("refuses when it is full of live nonces, rather than forget one", async () => {
    const { clock, remember } = store(2);
    await remember(ALICE, 1n);
    await remember(ALICE, 2n);

    await expect(remember(ALICE, 3n)).rejects.toMatchObject({ code: "rate-limited" });
    expect(await remember(ALICE, 1n)).toBe(false);
    await clock.advance(12_000);
    expect(await remember(ALICE, 3n)).toBe(true);
  });
});
