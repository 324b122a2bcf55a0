/** What validators are shown of the capacity: vouched for by the agent's hotkey, told once, and again when it is different. */
import { createHash } from "node:crypto";

import { describe, expect, it } from "vitest";

import { CapacityBoard } from "../../agent/validator/capacity-board.ts";
import { verifySignature } from "../../common/hotkey.ts";
import { isPrepared, prepared, replyTo } from "../../common/http-prepared.ts";
import { type Capacity, capacityBytes, CapacityChange, capacityDigest, capacityText } from "../../protocol/capacity.ts";
import { capacity } from "../support/answers.ts";
import { AGENT, signerOf, startValidatorListener } from "../support/api-servers.ts";
import { T0 } from "../support/builders.ts";
import { FakeClock } from "../support/fake-clock.ts";

const target = "/v1/capacity";
const sign = (bytes: Uint8Array) => AGENT.sign(bytes);

function ask(url: string, headers: Record<string, string> = {}) {
  const signature = signerOf()({ method: "GET", target, body: Buffer.alloc(0) });
  return fetch(url + target, { headers: { ...signature, ...headers } });
}

function isAgents({ etag, signedAtMs, signature = "" }: Omit<CapacityChange, "capacity">): boolean {
  const bytes = capacityBytes(AGENT.ss58, etag, signedAtMs);
  return verifySignature("sr25519", bytes, Buffer.from(signature.slice(2), "hex"), AGENT.ss58);
}

function withPrice(pricePerGpuHourMicros: number): Capacity {
  const { at, offers } = capacity();
  const models = offers.flatMap((offer) => offer.models).map((model) => ({ ...model, pricePerGpuHourMicros }));
  return { at, offers: offers.map((offer) => ({ ...offer, models })) };
}

function board() {
  const clock = new FakeClock(T0);
  let [current, looked, signatures] = [capacity(), 0, 0];
  const look = () => {
    looked += 1;
    return { ...current, at: new Date(clock.now()).toISOString() };
  };
  const counting = (bytes: Uint8Array) => {
    signatures += 1;
    return sign(bytes);
  };
  return {
    clock,
    board: new CapacityBoard({ capacity: look, hotkey: AGENT.ss58, sign: counting, clock }),
    become: (next: Capacity) => void (current = next),
    counts: () => ({ looked, signatures }),
  };
}

describe("the answer", () => {
  it("is the one spelling of the capacity, under its digest, signed by the agent", async () => {
    await using listener = await startValidatorListener({ capacity }, { sign });

    const response = await ask(listener.url);
    const body = await response.text();

    const etag = createHash("sha256").update(body).digest("hex");
    expect(body).toBe(capacityText(capacity()));
    expect(response.headers.get("etag")).toBe(`"${etag}"`);
    const signedAtMs = Number(response.headers.get("x-lium-signed-at"));
    const signature = response.headers.get("x-lium-signature") ?? "";
    expect(isAgents({ etag, signedAtMs, signature })).toBe(true);
    expect(isAgents({ etag, signedAtMs: signedAtMs + 1, signature })).toBe(false);
    expect(isAgents({ etag: capacityDigest(withPrice(1)), signedAtMs, signature })).toBe(false);
  });

  it("is not sent again to who has it, and vouched for all the same", async () => {
    await using listener = await startValidatorListener({ capacity }, { sign });
    const etag = capacityDigest(capacity());

    const again = await ask(listener.url, { "if-none-match": `"${etag}"` });
    const other = await ask(listener.url, { "if-none-match": '"other"' });

    expect([again.status, await again.text()]).toEqual([304, ""]);
    const signedAtMs = Number(again.headers.get("x-lium-signed-at"));
    expect(isAgents({ etag, signedAtMs, signature: again.headers.get("x-lium-signature") ?? "" })).toBe(true);
    expect(other.status).toBe(200);
  });

  it("is not signed by an agent that has its hotkey's address alone", async () => {
    await using listener = await startValidatorListener({ capacity });

    expect((await ask(listener.url)).headers.get("x-lium-signature")).toBeNull();
  });
});

describe("an entity tag", () => {
  const answer = prepared({ etag: "a", headers: {}, body: Buffer.from("{}") });

  it.each([
    ['"a"', 304],
    ['W/"a"', 304],
    ['"b", "a"', 304],
    ["*", 304],
    ['"b"', 200],
    ["a", 200],
    ["", 200],
    [undefined, 200],
  ])("If-None-Match %j is answered with %i", (sent, status) => {
    expect(replyTo(sent, answer, 200).status).toBe(status);
  });

  it("belongs to prepared answers alone", () => {
    expect([isPrepared(answer), isPrepared({ etag: "a" }), isPrepared(undefined)]).toEqual([true, false, false]);
  });
});

describe("the board", () => {
  it("looks once for all who ask in a moment, and signs once a second", async () => {
    const { clock, board: shown, counts } = board();
    for (let n = 0; n < 100; n += 1) shown.answer();
    expect(counts()).toEqual({ looked: 1, signatures: 1 });

    await clock.advance(100);
    shown.answer();
    expect(counts()).toEqual({ looked: 2, signatures: 1 });

    await clock.advance(900);
    shown.answer();
    expect(counts()).toEqual({ looked: 3, signatures: 2 });
  });

  it("keeps tag and time while the offers are the same, and changes both when they are not", async () => {
    const { clock, board: shown, become } = board();
    const first = shown.answer();
    await clock.advance(60_000);
    const same = shown.answer();
    become(withPrice(1));
    await clock.advance(100);
    const other = shown.answer();

    expect([same.etag, same.body]).toEqual([first.etag, first.body]);
    expect(other.etag).not.toBe(first.etag);
    expect(JSON.parse(String(other.body))).toMatchObject({ at: new Date(T0 + 60_100).toISOString() });
  });

  it("tells who follows what is, then every change, and ends with the signal", async () => {
    const { clock, board: shown, become } = board();
    const over = new AbortController();
    const told = shown.changes({ follow: true }, over.signal);

    const first = await told.next();
    const second = told.next();
    await clock.untilSleeping();
    become(withPrice(1));
    await clock.advance(250);

    const changes = [first.value, (await second).value].map((value) => CapacityChange.parse(value));
    expect(changes.map(({ etag, capacity: one }) => etag === capacityDigest(one))).toEqual([true, true]);
    expect(changes.map(isAgents)).toEqual([true, true]);
    const end = told.next();
    await clock.untilSleeping();
    over.abort();
    expect((await end).done).toBe(true);
  });

  it("does not tell what the caller knows", async () => {
    const { board: shown } = board();
    const { etag } = shown.answer();
    const told = shown.changes({ follow: false, after: etag }, new AbortController().signal);

    expect((await told.next()).done).toBe(true);
  });
});
