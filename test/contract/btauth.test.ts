/**
 * Who is let in, through a real listener and the real signer: every way to be wrong has its own code, is refused quickly,
 * and reaches nothing behind the listener.
 */
import { describe, expect, it, onTestFinished } from "vitest";

import { devHotkey } from "../../common/hotkey.ts";
import type { HttpClientOptions, OutgoingRequest } from "../../common/http-client.ts";
import { signHeaders } from "../../protocol/btauth.ts";
import { ERRORS, type ErrorCode } from "../../protocol/errors.ts";
import { capacity, podView } from "../support/answers.ts";
import { AGENT, ALICE, MALLORY, signerOf, startValidatorListener } from "../support/api-servers.ts";
import { podId, podSpec } from "../support/builders.ts";

type Sign = NonNullable<HttpClientOptions["sign"]>;
type Change = (headers: Record<string, string>) => Record<string, string>;

const body = { spec: podSpec() };
const sign = signerOf();

/** Signs something else than what is sent. */
function signing(change: Partial<OutgoingRequest>): Sign {
  return (request) => sign({ ...request, ...change });
}

function atTime(offsetMs: number): Sign {
  const clock = { now: () => Date.now() + offsetMs, monotonic: () => 0, sleep: async () => undefined };
  return signerOf(ALICE, AGENT.ss58, clock);
}

/** Signs rightly, then changes the headers. */
function sending(change: Change): Sign {
  return (request) => change({ ...sign(request) });
}

function without(name: string): Sign {
  return sending((headers) => Object.fromEntries(Object.entries(headers).filter(([key]) => key !== name)));
}

/** What another key signs, under Alice's name. */
function asAlice(other: Sign): Sign {
  return (request) => ({ ...other(request), "X-Bittensor-Hotkey": ALICE.ss58 });
}

const WRONG: [string, ErrorCode, Sign | undefined][] = [
  ["an altered body", "auth-bad-signature", signing({ body: Buffer.from("{}") })],
  ["an altered path", "auth-bad-signature", signing({ target: "/v1/pods/x" })],
  ["an added query", "auth-bad-signature", signing({ target: "/v1/pods?all=true" })],
  ["an altered method", "auth-bad-signature", signing({ method: "PUT" })],
  [
    "an altered receiver",
    "auth-bad-signature",
    (request) => ({ ...signerOf(ALICE, MALLORY.ss58)(request), "X-Bittensor-Receiver": AGENT.ss58 }),
  ],
  ["another's signature", "auth-bad-signature", asAlice(signerOf(MALLORY))],
  ["another agent as its receiver", "auth-wrong-receiver", signerOf(ALICE, MALLORY.ss58)],
  ["a nonce that is too old", "auth-stale", atTime(-10_500)],
  ["a nonce that is too far ahead", "auth-future", atTime(3_000)],
  ["a hotkey that is not allowed", "auth-hotkey-not-allowed", signerOf(MALLORY)],
  [
    "another scheme than the one that is held",
    "auth-scheme-refused",
    asAlice(signerOf(devHotkey("//Alice", "ed25519"))),
  ],
  [
    "a scheme that nobody knows",
    "auth-scheme-refused",
    sending((headers) => ({ ...headers, "X-Bittensor-Crypto": "mldsa" })),
  ],
  ["no signature at all", "auth-malformed", undefined],
  ["a header too few", "auth-malformed", without("X-Bittensor-Receiver")],
  ["a nonce that is no number", "auth-malformed", sending((headers) => ({ ...headers, "X-Bittensor-Nonce": "1e18" }))],
  ["another version", "auth-malformed", sending((headers) => ({ ...headers, "X-Bittensor-Version": "2" }))],
];

describe("a signed request", () => {
  it("is carried out for the hotkey that signed it", async () => {
    await using listener = await startValidatorListener({ createPod: async () => podView() });

    const view = await listener.client.createPod({ body });

    expect(view.podId).toBe(podId(1));
    expect(listener.calls[0]?.args[0]).toBe(ALICE.ss58);
  });

  it.each(WRONG)("with %s is refused with %s, and nothing behind is asked", async (_, code, how) => {
    await using listener = await startValidatorListener();

    const call = listener.clientThat(how).createPod({ body });

    await expect(call).rejects.toMatchObject({ code });
    expect([401, 403]).toContain(ERRORS[code].status);
    expect(listener.calls).toEqual([]);
  });

  it("is carried out once: its nonce is spent, for the same request and for any other", async () => {
    await using listener = await startValidatorListener({ capacity });
    const nonce = BigInt(Date.now()) * 1_000_000n;
    const parts = { scheme: ALICE.scheme, sender: ALICE.ss58, receiver: AGENT.ss58, nonce };
    const client = listener.clientThat((request) =>
      signHeaders({ ...request, ...parts }, (bytes) => ALICE.sign(bytes)),
    );
    await client.capacity({});

    await expect(client.capacity({})).rejects.toMatchObject({ code: "auth-replayed" });
    await expect(client.listPods({})).rejects.toMatchObject({ code: "auth-replayed" });
    expect(listener.calls).toHaveLength(1);
  });

  it("of twenty that are the same, sent at once, one is carried out", async () => {
    await using listener = await startValidatorListener({ capacity });
    let headers: Record<string, string> | undefined;
    const client = listener.clientThat((request) => (headers ??= sign(request)));

    const answers = await Promise.allSettled(Array.from({ length: 20 }, () => client.capacity({})));

    expect(answers.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(listener.calls).toHaveLength(1);
  });

  it("has a greater nonce than the one before, also when many are signed within a millisecond", () => {
    const still = { now: () => 1_752_076_800_000, monotonic: () => 0, sleep: async () => undefined };
    const signAll = signerOf(ALICE, AGENT.ss58, still);
    const request = { method: "GET", target: "/", body: Buffer.alloc(0) };

    const nonces = Array.from({ length: 50 }, () => BigInt(signAll(request)["X-Bittensor-Nonce"] ?? ""));

    expect(nonces.every((nonce, at) => at === 0 || nonce > (nonces[at - 1] ?? 0n))).toBe(true);
  });

  it("that is too large is refused before its signature is looked at", async () => {
    await using listener = await startValidatorListener();
    const env = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`V${n}`, "x".repeat(100_000)]));
    const large = { spec: { ...podSpec(), env } };

    for (const client of [listener.client, listener.clientThat(undefined)]) {
      await expect(client.createPod({ body: large })).rejects.toMatchObject({ code: "body-too-large" });
    }
    expect(listener.calls).toEqual([]);
  });

  it("with a header sent twice is refused", async () => {
    await using listener = await startValidatorListener();
    const headers = Object.entries(sign({ method: "GET", target: "/v1/capacity", body: Buffer.alloc(0) }));

    const response = await fetch(`${listener.url}/v1/capacity`, {
      headers: [...headers, ["X-Bittensor-Nonce", "1"]] as [string, string][],
    });

    expect(await response.json()).toMatchObject({ code: "auth-malformed" });
  });
});

describe("refusing", () => {
  it("is quick: the times are printed, and none is far from a few milliseconds", async () => {
    await using listener = await startValidatorListener({ capacity });
    const attempts: [string, () => Promise<unknown>][] = WRONG.map(([what, , how]) => {
      const client = listener.clientThat(how);
      return [what, () => client.createPod({ body })];
    });
    let spent: Record<string, string> | undefined;
    const replaying = listener.clientThat((request) => (spent ??= sign(request)));
    await replaying.capacity({});
    attempts.push(["a replayed nonce", () => replaying.capacity({})]);
    const big = { spec: { ...podSpec(), env: { A: "x".repeat(131_072), B: "x".repeat(131_072) } } };
    const small = await startValidatorListener({}, { limits: { bodyBytes: 1_000 } });
    onTestFinished(() => small[Symbol.asyncDispose]());
    attempts.push(["an oversized body", () => small.client.createPod({ body: big })]);

    const table: Record<string, { p50Ms: number; maxMs: number }> = {};
    for (const [what, attempt] of attempts) {
      const times: number[] = [];
      for (let turn = 0; turn < 23; turn += 1) {
        const start = performance.now();
        await attempt().catch(() => undefined);
        if (turn >= 3) times.push(performance.now() - start);
      }
      times.sort((a, b) => a - b);
      table[what] = { p50Ms: Number(times[10]?.toFixed(2)), maxMs: Number(times.at(-1)?.toFixed(2)) };
    }
    process.stdout.write(`refusals, client and signature included: ${JSON.stringify(table)}\n`);

    expect(Math.max(...Object.values(table).map(({ p50Ms }) => p50Ms))).toBeLessThan(50);
  });
});
