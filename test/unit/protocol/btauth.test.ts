/**
 * btauth/1: the bytes, the headers, and each check in its turn. The signature primitive is a stand-in here;
 * test/unit/common/hotkey.test.ts runs the same requests with real keys.
 */
import { createHash } from "node:crypto";

import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";

import {
  canonicalBytes,
  checkFreshness,
  checkReceiver,
  DEFAULT_WINDOW,
  parseHeaders,
  type RequestHeaders,
  type SignatureScheme,
  type SignedParts,
  signHeaders,
  type VerifyOptions,
  verifyRequest,
} from "../../../protocol/btauth.ts";
import { AppError, type ErrorCode } from "../../../protocol/errors.ts";

const ALICE = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
const ALICE_ED25519 = "5FA9nQDVg267DEd8m1ZypXLBnvN7SFxYwV7ndqSYGiN9TTpu";
const BOB = "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty";
const NOW_MS = 1_752_076_800_000;

const PARTS: SignedParts = {
  scheme: "sr25519",
  method: "POST",
  target: "/generate?stream=false",
  body: Buffer.from('{"prompt": "hello"}'),
  nonce: 1_752_076_800_000_000_000n,
  sender: ALICE,
  receiver: BOB,
};

/** Stands in for a signature: 64 bytes that depend on every byte signed and on the scheme and key. */
function mark(scheme: SignatureScheme, bytes: Uint8Array, hotkey: string): Uint8Array {
  return createHash("sha512").update(`${scheme} ${hotkey}\n`).update(bytes).digest();
}

function signed(changes: Partial<SignedParts> = {}): Record<string, string> {
  const parts = { ...PARTS, ...changes };
  return signHeaders(parts, (bytes) => mark(parts.scheme, bytes, parts.sender));
}

function requestOf(changes: Partial<VerifyOptions> = {}): VerifyOptions {
  return {
    headers: signed(),
    method: PARTS.method,
    target: PARTS.target,
    body: PARTS.body,
    receiver: BOB,
    nowMs: NOW_MS,
    window: DEFAULT_WINDOW,
    schemeOf: (hotkey) => (hotkey === ALICE ? "sr25519" : undefined),
    verify: (scheme, bytes, signature, hotkey) => Buffer.from(signature).equals(mark(scheme, bytes, hotkey)),
    ...changes,
  };
}

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof AppError) return error.code;
    throw error;
  }
  return "accepted";
}

function raise(code: ErrorCode): never {
  throw new AppError(code);
}

describe("the bytes", () => {
  test("are the eight lines of the golden vector", () => {
    expect(Buffer.from(canonicalBytes(PARTS)).toString()).toBe(
      [
        "btauth/1",
        "sr25519",
        "POST",
        "/generate?stream=false",
        "341c57448e531310fbbe83f44cea2a5e838bd9e8a6b82b269f01d0dbbc23c3cc",
        "1752076800000000000",
        ALICE,
        BOB,
      ].join("\n"),
    );
  });

  test("hold the digest of an empty body too, and the method in upper case", () => {
    const lines = Buffer.from(canonicalBytes({ ...PARTS, method: "get", body: new Uint8Array() }))
      .toString()
      .split("\n");

    expect(lines[2]).toBe("GET");
    expect(lines[4]).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  });
});

describe("the headers", () => {
  test("carry what was signed and are read back, whatever their case", () => {
    const headers = signed();
    const lowered = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

    const parsed = parseHeaders(lowered);

    expect(parsed).toEqual({
      version: "1",
      hotkey: ALICE,
      receiver: BOB,
      nonce: PARTS.nonce,
      scheme: "sr25519",
      signature: mark("sr25519", canonicalBytes(PARTS), ALICE),
    });
    expect(parseHeaders(headers)).toEqual(parsed);
    expect(headers).not.toHaveProperty("X-Bittensor-Crypto");
  });

  test("name ed25519, and nothing else, as a scheme", () => {
    const headers = signed({ scheme: "ed25519", sender: ALICE_ED25519 });

    expect(headers).toMatchObject({ "X-Bittensor-Crypto": "ed25519" });
    expect(parseHeaders(headers).scheme).toBe("ed25519");
  });

  test("may be lists of one", () => {
    const listed = Object.fromEntries(Object.entries(signed()).map(([name, value]) => [name, [value]]));

    expect(parseHeaders(listed)).toEqual(parseHeaders(signed()));
  });

  test("keep a nonce beyond 2^53 exact, up to 2^64 - 1", () => {
    fc.assert(fc.property(fc.bigInt(0n, 2n ** 64n - 1n), (nonce) => parseHeaders(signed({ nonce })).nonce === nonce));
  });

  const names = ["Version", "Hotkey", "Receiver", "Nonce", "Signature"].map((name) => `X-Bittensor-${name}`);
  test.each(names)("without %s, or with it twice or empty, are malformed", (name) => {
    const value = signed()[name] ?? "";
    const broken: RequestHeaders[] = [
      { [name]: undefined },
      { [name]: "" },
      { [name]: [] },
      { [name]: [value, value] },
      { [name]: `${value}, ${value}` },
      { [name]: ` ${value}` },
      { [name]: `${value}\n` },
      { [name.toLowerCase()]: value },
    ];

    const codes = broken.map((change) => codeOf(() => parseHeaders({ ...signed(), ...change })));

    expect(codes).toEqual(broken.map(() => "auth-malformed"));
  });

  test.each<[string, Record<string, string>]>([
    ["another version", { "X-Bittensor-Version": "2" }],
    ["a version in other words", { "X-Bittensor-Version": "01" }],
    ["a hotkey of another format", { "X-Bittensor-Hotkey": "15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5" }],
    ["a hotkey cut short", { "X-Bittensor-Hotkey": ALICE.slice(0, 40) }],
    ["a receiver that is unbound", { "X-Bittensor-Receiver": "-" }],
    ["a negative nonce", { "X-Bittensor-Nonce": "-1" }],
    ["a nonce in hexadecimal", { "X-Bittensor-Nonce": "0x10" }],
    ["a nonce with a leading zero", { "X-Bittensor-Nonce": "01752076800000000000" }],
    ["a nonce with a fraction", { "X-Bittensor-Nonce": "1752076800.5" }],
    ["a nonce in other digits", { "X-Bittensor-Nonce": "١٢٣" }],
    ["a nonce of 2^64", { "X-Bittensor-Nonce": "18446744073709551616" }],
    ["an upper-case signature", { "X-Bittensor-Signature": `0x${"AB".repeat(64)}` }],
    ["a signature without 0x", { "X-Bittensor-Signature": "ab".repeat(64) }],
    ["a signature of 63 bytes", { "X-Bittensor-Signature": `0x${"ab".repeat(63)}` }],
    ["a signature of 65 bytes", { "X-Bittensor-Signature": `0x${"ab".repeat(65)}` }],
  ])("with %s are malformed", (_, change) => {
    expect(codeOf(() => parseHeaders({ ...signed(), ...change }))).toBe("auth-malformed");
  });

  test.each(["hashed", "mldsa", "ecdsa", "ED25519", ""])("that name the scheme %j are refused", (scheme) => {
    expect(codeOf(() => parseHeaders({ ...signed(), "X-Bittensor-Crypto": scheme }))).toBe("auth-scheme-refused");
  });

  test("of any content are parsed or refused with a code, never with another error", () => {
    const header = fc.oneof(
      fc.string(),
      fc.constantFrom(...Object.values(signed())),
      fc.array(fc.string(), { maxLength: 2 }),
    );
    const headers = fc.dictionary(fc.constantFrom(...Object.keys(signed()), "X-Bittensor-Crypto"), header);
    fc.assert(
      fc.property(headers, (changes) => {
        const code = codeOf(() => parseHeaders({ ...signed(), ...changes }));
        return ["accepted", "auth-malformed", "auth-scheme-refused"].includes(code);
      }),
    );
  });
});

describe("the receiver and the clock", () => {
  test("only our own hotkey is a receiver", () => {
    expect(codeOf(() => checkReceiver(BOB, BOB))).toBe("accepted");
    expect(codeOf(() => checkReceiver(ALICE, BOB))).toBe("auth-wrong-receiver");
  });

  test.each([
    [-10_000_000_001n, "auth-stale"],
    [-10_000_000_000n, "accepted"],
    [0n, "accepted"],
    [2_000_000_000n, "accepted"],
    [2_000_000_001n, "auth-future"],
  ])("a nonce %d ns from now is %s", (offset, code) => {
    const nonce = BigInt(NOW_MS) * 1_000_000n + offset;

    expect(codeOf(() => checkFreshness(nonce, NOW_MS, DEFAULT_WINDOW))).toBe(code);
  });

  test("a narrower window refuses more", () => {
    const window = { maxAgeMs: 0, maxAheadMs: 0 };
    const nonce = BigInt(NOW_MS) * 1_000_000n;

    expect(codeOf(() => checkFreshness(nonce, NOW_MS, window))).toBe("accepted");
    expect(codeOf(() => checkFreshness(nonce - 1n, NOW_MS, window))).toBe("auth-stale");
    expect(codeOf(() => checkFreshness(nonce + 1n, NOW_MS, window))).toBe("auth-future");
  });

  test("the ends of the nonce's range are stale and future, not overflows", () => {
    expect(codeOf(() => checkFreshness(0n, NOW_MS, DEFAULT_WINDOW))).toBe("auth-stale");
    expect(codeOf(() => checkFreshness(2n ** 64n - 1n, NOW_MS, DEFAULT_WINDOW))).toBe("auth-future");
  });
});

describe("a whole request", () => {
  test("that is right gives the caller and the nonce", () => {
    expect(verifyRequest(requestOf())).toEqual({ hotkey: ALICE, nonce: PARTS.nonce });
  });

  test.each<[string, Partial<VerifyOptions>, string]>([
    ["another body", { body: Buffer.from('{"prompt": "hullo"}') }, "auth-bad-signature"],
    ["another path", { target: "/generated?stream=false" }, "auth-bad-signature"],
    ["another query", { target: "/generate?stream=true" }, "auth-bad-signature"],
    ["another spelling of the path", { target: "/%67enerate?stream=false" }, "auth-bad-signature"],
    ["another method", { method: "PUT" }, "auth-bad-signature"],
    ["another nonce", { headers: { ...signed(), "X-Bittensor-Nonce": "1752076800000000001" } }, "auth-bad-signature"],
    ["another receiver", { headers: signed({ receiver: ALICE }) }, "auth-wrong-receiver"],
    [
      "a receiver changed on the way",
      { headers: { ...signed({ receiver: ALICE }), "X-Bittensor-Receiver": BOB } },
      "auth-bad-signature",
    ],
    ["a stale nonce", { nowMs: NOW_MS + 10_001 }, "auth-stale"],
    ["a nonce ahead", { nowMs: NOW_MS - 2_001 }, "auth-future"],
    ["an unknown hotkey", { headers: signed({ sender: BOB }) }, "auth-hotkey-not-allowed"],
    ["a scheme that is not the one we hold", { headers: signed({ scheme: "ed25519" }) }, "auth-scheme-refused"],
    ["a scheme that is held and not sent", { schemeOf: () => "ed25519" }, "auth-scheme-refused"],
    ["no headers", { headers: {} }, "auth-malformed"],
  ])("with %s is refused as it should be", (_, change, code) => {
    expect(codeOf(() => verifyRequest(requestOf(change)))).toBe(code);
  });

  test("is refused for the first thing that is wrong, in the order of the standard", () => {
    const wrong: Partial<VerifyOptions>[] = [
      { headers: {} },
      { receiver: ALICE },
      { nowMs: NOW_MS + 60_000 },
      { schemeOf: () => undefined },
      { schemeOf: () => "ed25519" },
      { before: () => raise("auth-replayed") },
      { verify: () => false },
    ];

    const codes = wrong.map((_, first) =>
      codeOf(() => verifyRequest(requestOf(Object.assign({}, ...wrong.slice(first).reverse())))),
    );

    expect(codes).toEqual([
      "auth-malformed",
      "auth-wrong-receiver",
      "auth-stale",
      "auth-hotkey-not-allowed",
      "auth-scheme-refused",
      "auth-replayed",
      "auth-bad-signature",
    ]);
  });

  test("asks for a signature check only when everything cheap has passed, with the scheme that we hold", () => {
    const verify = vi.fn<VerifyOptions["verify"]>(() => true);
    for (const change of [{ headers: {} }, { schemeOf: () => undefined }, { receiver: ALICE }, { nowMs: 0 }]) {
      codeOf(() => verifyRequest(requestOf({ verify, ...change })));
    }

    expect(verify).not.toHaveBeenCalled();

    verifyRequest(requestOf({ verify }));
    expect(verify).toHaveBeenCalledWith("sr25519", canonicalBytes(PARTS), expect.any(Uint8Array), ALICE);
  });
});
