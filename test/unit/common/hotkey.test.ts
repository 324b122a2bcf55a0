/**
 * Hotkeys with real keys: btauth's golden vectors, strict verification, and the files that btcli writes.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { createHotkeyFile, devHotkey, initHotkeys, loadHotkey, verifySignature } from "../../../common/hotkey.ts";
import {
  canonicalBytes,
  DEFAULT_WINDOW,
  type SignatureScheme,
  type SignedParts,
  signHeaders,
  type VerifyOptions,
  verifyRequest,
} from "../../../protocol/btauth.ts";
import { AppError } from "../../../protocol/errors.ts";

const ALICE = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
const ALICE_ED25519 = "5FA9nQDVg267DEd8m1ZypXLBnvN7SFxYwV7ndqSYGiN9TTpu";
const BOB = "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty";

/** The public development phrase, and the public keys and secrets that belong to it. */
const DEV_PHRASE = "bottom drive obey lake curtain smoke basket hold race lonely fit walk";
const DEV_SEED = "0xfac7959dbfe72f052e5a0c3c8d6530f202b02fd8f9f5ca3580ec8deb7797479e";
const DEV = "5DfhGyQdFobKM8NsWvEeAKk5EQQgYe9AydgJ7rMB6E1EqRzV";
const ALICE_SEED = "0xe5be9a5092b81bca64be81d212e7f2f9eba183bb7a90954f7b76361f6edb5c0a";
const ALICE_PRIVATE_KEY =
  "0x33a6f3093f158a7109f679410bef1a0c54168145e0cecb4df006c1c2fffb1f09" +
  "925a225d97aa00682d6a59b95b18780c10d7032336e88f3442b42361f4a66011";

let folder: string;
beforeAll(async () => {
  await initHotkeys();
  folder = mkdtempSync(join(tmpdir(), "lium-hotkey-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof AppError) return error.code;
    throw error;
  }
  return "accepted";
}

const hotkeys = {
  sr25519: { alice: devHotkey("//Alice"), eve: devHotkey("//Eve") },
  ed25519: { alice: devHotkey("//Alice", "ed25519"), eve: devHotkey("//Eve", "ed25519") },
};
const schemes: SignatureScheme[] = ["sr25519", "ed25519"];

function partsOf(scheme: SignatureScheme): SignedParts {
  return {
    scheme,
    method: "POST",
    target: "/generate?stream=false",
    body: Buffer.from('{"prompt": "hello"}'),
    nonce: 1_752_076_800_000_000_000n,
    sender: hotkeys[scheme].alice.ss58,
    receiver: BOB,
  };
}

describe("the golden vectors of btauth/1", () => {
  test("name the development keys by their known addresses", () => {
    expect(hotkeys.sr25519.alice).toMatchObject({ ss58: ALICE, scheme: "sr25519" });
    expect(hotkeys.ed25519.alice).toMatchObject({ ss58: ALICE_ED25519, scheme: "ed25519" });
    expect(devHotkey("//Bob").ss58).toBe(BOB);
  });

  test("give exactly the known ed25519 signature", () => {
    const headers = signHeaders(partsOf("ed25519"), (bytes) => hotkeys.ed25519.alice.sign(bytes));

    expect(headers["X-Bittensor-Signature"]).toBe(
      "0x1a6b631988bf1f7ea093ab9d5acf61f05c316d0b0e428b24b487b75a5f6ee0e1" +
        "a56a26918fdf871b6cf09437e6588023a4ce423cf622621b2a7feee17612f704",
    );
  });

  test.each(schemes)("hold when %s signs, and fail for anything altered", (scheme) => {
    const parts = partsOf(scheme);
    const request: VerifyOptions = {
      headers: signHeaders(parts, (bytes) => hotkeys[scheme].alice.sign(bytes)),
      method: parts.method,
      target: parts.target,
      body: parts.body,
      receiver: BOB,
      nowMs: 1_752_076_800_000,
      window: DEFAULT_WINDOW,
      schemeOf: () => scheme,
      verify: verifySignature,
    };
    const verify = (change: Partial<VerifyOptions>) => codeOf(() => verifyRequest({ ...request, ...change }));
    const elsewhere = signHeaders({ ...parts, receiver: ALICE }, (bytes) => hotkeys[scheme].alice.sign(bytes));

    expect(verify({})).toBe("accepted");
    expect(verify({ body: Buffer.from('{"prompt": "hello" }') })).toBe("auth-bad-signature");
    expect(verify({ target: "/generate?stream=true" })).toBe("auth-bad-signature");
    expect(verify({ method: "PATCH" })).toBe("auth-bad-signature");
    expect(verify({ headers: elsewhere })).toBe("auth-wrong-receiver");
    expect(verify({ headers: { ...elsewhere, "X-Bittensor-Receiver": BOB } })).toBe("auth-bad-signature");
    expect(verify({ nowMs: request.nowMs + 10_001 })).toBe("auth-stale");
    expect(verify({ nowMs: request.nowMs - 2_001 })).toBe("auth-future");
  });
});

describe.each(schemes)("an %s signature", (scheme) => {
  const { alice, eve } = hotkeys[scheme];
  const bytes = canonicalBytes(partsOf(scheme));

  test("holds for its bytes, key and scheme alone", () => {
    const signature = alice.sign(bytes);
    const other = scheme === "sr25519" ? "ed25519" : "sr25519";

    expect(signature).toHaveLength(64);
    expect(verifySignature(scheme, bytes, signature, alice.ss58)).toBe(true);
    expect(verifySignature(scheme, bytes.subarray(1), signature, alice.ss58)).toBe(false);
    expect(verifySignature(scheme, bytes, signature, eve.ss58)).toBe(false);
    expect(verifySignature(other, bytes, signature, alice.ss58)).toBe(false);
  });

  test("over wrapped bytes does not hold for the bare ones, nor the other way round", () => {
    const wrapped = Buffer.concat([Buffer.from("<Bytes>"), bytes, Buffer.from("</Bytes>")]);

    expect(verifySignature(scheme, bytes, alice.sign(wrapped), alice.ss58)).toBe(false);
    expect(verifySignature(scheme, wrapped, alice.sign(bytes), alice.ss58)).toBe(false);
  });

  test("with any one bit flipped does not hold", () => {
    const signature = Buffer.from(alice.sign(bytes));
    const flips = Array.from({ length: 512 }, (_, bit) => {
      const flipped = Buffer.from(signature);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      return verifySignature(scheme, bytes, flipped, alice.ss58);
    });

    expect(flips).not.toContain(true);
  });

  test("that is malformed is refused, not thrown at", () => {
    const signature = alice.sign(bytes);
    const malformed: [Uint8Array, string][] = [
      [signature.subarray(1), alice.ss58],
      [Buffer.concat([signature, Buffer.alloc(1)]), alice.ss58],
      [new Uint8Array(0), alice.ss58],
      [new Uint8Array(64), alice.ss58],
      [new Uint8Array(64).fill(0xff), alice.ss58],
      [signature, "nobody"],
      [signature, `${alice.ss58.slice(0, -1)}1`],
    ];

    expect(malformed.map(([bad, ss58]) => verifySignature(scheme, bytes, bad, ss58))).not.toContain(true);
  });
});

function write(name: string, content: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

describe("a hotkey file of btcli", () => {
  test.each([
    ["a phrase", { secretPhrase: DEV_PHRASE, ss58Address: DEV }],
    ["a phrase before a seed", { secretPhrase: DEV_PHRASE, secretSeed: ALICE_SEED, ss58Address: DEV }],
    ["a seed", { secretSeed: DEV_SEED, ss58Address: DEV, secretPhrase: null }],
    ["a seed without 0x", { secretSeed: ALICE_SEED.slice(2), ss58Address: ALICE }],
    ["a private key alone", { privateKey: ALICE_PRIVATE_KEY, ss58Address: ALICE }],
    ["a blank in a name", { secretSeed: ALICE_SEED, " ss58Address": ALICE }],
    ["the newer fields", { secretSeed: ALICE_SEED, ss58Address: ALICE, cryptoType: 1, accountType: "hotkey" }],
  ])("with %s signs as its address", async (_, content) => {
    const hotkey = await loadHotkey(write("hotkey", content));

    const bytes = Buffer.from("bytes");
    expect(verifySignature("sr25519", bytes, hotkey.sign(bytes), hotkey.ss58)).toBe(true);
    expect(Object.values(content)).toContain(hotkey.ss58);
  });

  test.each([
    ["seed", ALICE_SEED, ALICE],
    ["seed without 0x", `${ALICE_SEED.slice(2)}\n`, ALICE],
    ["phrase", DEV_PHRASE, DEV],
  ])("of an old wallet that is a bare %s is the key it means", async (_, content, ss58) => {
    expect((await loadHotkey(write("hotkey", content))).ss58).toBe(ss58);
  });

  test("of an ed25519 key signs with ed25519", async () => {
    const ss58 = devHotkey(ALICE_SEED, "ed25519").ss58;

    const hotkey = await loadHotkey(write("hotkey", { secretSeed: ALICE_SEED, ss58Address: ss58, cryptoType: 0 }));

    const bytes = Buffer.from("bytes");
    expect(hotkey).toMatchObject({ ss58, scheme: "ed25519" });
    expect(verifySignature("ed25519", bytes, hotkey.sign(bytes), ss58)).toBe(true);
  });

  test.each([
    ["encrypted", "$NACL\u0001\u0002", /encrypted/],
    ["encrypted by Ansible", "$ANSIBLE_VAULT;1.1;AES256\n6162", /encrypted/],
    ["encrypted long ago", "gAAAAABk", /encrypted/],
    ["empty", "", /not a plain hotkey file/],
    ["a bare phrase with a wrong word", `${DEV_PHRASE}s`, /word or a checksum/],
    ["a list", "[]", /not a plain hotkey file/],
    ["of polkadot.js", { encoded: "x", encoding: {}, address: ALICE }, /of polkadot.js/],
    ["of a post-quantum scheme", { secretSeed: ALICE_SEED, ss58Address: ALICE, signingScheme: "mldsa65" }, /scheme/],
    ["without address", { secretSeed: ALICE_SEED }, /not a plain hotkey file/],
    ["with an address that is wrong", { secretSeed: ALICE_SEED, ss58Address: `${ALICE}x` }, /not a plain hotkey file/],
    [
      "of another kind of key",
      { secretSeed: ALICE_SEED, ss58Address: ALICE, cryptoType: 2 },
      /not a plain hotkey file/,
    ],
    ["with a seed cut short", { secretSeed: ALICE_SEED.slice(0, -2), ss58Address: ALICE }, /not a plain hotkey file/],
    ["public alone", { ss58Address: ALICE, publicKey: "0x00" }, /holds no secret/],
    ["with a wrong word", { secretPhrase: `${DEV_PHRASE}s`, ss58Address: DEV }, /word or a checksum/],
    ["of somebody else", { secretSeed: ALICE_SEED, ss58Address: BOB }, /does not belong/],
    ["with a private key of somebody else", { privateKey: ALICE_PRIVATE_KEY, ss58Address: BOB }, /does not belong/],
    ["of another scheme", { secretSeed: ALICE_SEED, ss58Address: ALICE, cryptoType: 0 }, /does not belong/],
    ["with a private key of nobody", { privateKey: `0x${"ff".repeat(64)}`, ss58Address: ALICE }, /is no key/],
    ["ed25519 with a private key", { privateKey: ALICE_PRIVATE_KEY, ss58Address: ALICE, cryptoType: 0 }, /neither/],
  ])("that is %s is refused, and nothing of it is told", async (_, content, message) => {
    const path = write("hotkey", content);

    const error: unknown = await loadHotkey(path).catch((refusal: unknown) => refusal);

    expect(error).toMatchObject({ code: "hotkey-file-invalid", details: { path } });
    expect(String(error)).toMatch(message);
    expect(JSON.stringify(error) + String(error)).not.toContain(ALICE_SEED.slice(2, 20));
    expect(error).not.toHaveProperty("cause");
  });

  test("that is not there is refused with its path", async () => {
    await expect(loadHotkey(join(folder, "missing"))).rejects.toMatchObject({
      code: "hotkey-file-invalid",
      details: { path: join(folder, "missing") },
    });
  });
});

describe("a new hotkey file", () => {
  test("is as btcli writes it, for its owner alone, and its secrets all mean the same key", async () => {
    const path = join(folder, "wallets", "default", "hotkeys", "new");

    const made = await createHotkeyFile(path);

    const { secretPhrase, secretSeed, privateKey, ...open } = JSON.parse(readFileSync(path, "utf8"));
    expect(open).toEqual({ accountId: open.publicKey, publicKey: open.publicKey, ss58Address: made.ss58 });
    expect(secretPhrase.split(" ")).toHaveLength(12);
    for (const secret of [{ secretPhrase }, { secretSeed }, { privateKey }]) {
      expect((await loadHotkey(write("again", { ...open, ...secret }))).ss58).toBe(made.ss58);
    }
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(path, ".."))).toEqual(["new"]);
  });

  test("never takes the place of another file", async () => {
    const path = write("taken", "mine");

    await expect(createHotkeyFile(path)).rejects.toMatchObject({ code: "already-exists", details: { path } });
    expect(readFileSync(path, "utf8")).toBe("mine");
    expect(readdirSync(folder).filter((name) => name.startsWith("taken"))).toEqual(["taken"]);
  });

  test("differs from every other", async () => {
    const [first, second] = await Promise.all(["one", "two"].map((name) => createHotkeyFile(join(folder, name))));

    expect(first?.ss58).not.toBe(second?.ss58);
  });
});
