/**
 * Sealing and opening: only the right key opens, and only what was sealed.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { generateSealingKey, openSealed, seal, sealingKeyFromSecret } from "../../../common/sealed-box.ts";
import { AppError } from "../../../protocol/errors.ts";
import { MAX_SECRET_BYTES, Sealed } from "../../../protocol/sealed.ts";

const HOST = generateSealingKey();

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof AppError) return error.code;
    throw error;
  }
  return "no refusal";
}

function flipBit(base64: string, nth: number): string {
  const bytes = Buffer.from(base64, "base64");
  const bit = nth % (bytes.length * 8);
  bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return bytes.toString("base64");
}

test("any secret comes back as it was, in a shape that the wire takes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), (secret) => {
      const sealed = seal(secret, HOST.publicKey);

      expect(Sealed.parse(sealed)).toEqual(sealed);
      expect(Buffer.from(openSealed(sealed, HOST))).toEqual(Buffer.from(secret));
    }),
  );
});

test("the longest secret comes back, and one byte more is refused", () => {
  const longest = new Uint8Array(MAX_SECRET_BYTES).fill(7);
  const sealed = Sealed.parse(seal(longest, HOST.publicKey));

  expect(Buffer.from(openSealed(sealed, HOST)).equals(longest)).toBe(true);
  expect(codeOf(() => seal(new Uint8Array(MAX_SECRET_BYTES + 1), HOST.publicKey))).toBe("invalid-request");
});

test("the same secret is never sealed twice alike: sender key, nonce and ciphertext all differ", () => {
  const secret = Buffer.from("the same words");
  const [first, second] = [seal(secret, HOST.publicKey), seal(secret, HOST.publicKey)].map((sealed) =>
    Buffer.from(sealed.box, "base64"),
  );

  for (const [start, end] of [
    [0, 32],
    [32, 56],
    [56, undefined],
  ]) {
    expect(first?.subarray(start, end)).not.toEqual(second?.subarray(start, end));
  }
});

test("a key is the same key again after its secret was kept", () => {
  const kept = sealingKeyFromSecret(Buffer.from(Buffer.from(HOST.secretKey).toString("base64"), "base64"));
  const sealed = seal(Buffer.from("hello"), HOST.publicKey);

  expect(kept.publicKey).toBe(HOST.publicKey);
  expect(Buffer.from(openSealed(sealed, kept)).toString()).toBe("hello");
});

describe("what cannot be opened", () => {
  test("a box with any one bit flipped", () => {
    const sealed = seal(Buffer.from("secret words"), HOST.publicKey);
    const bits = Buffer.from(sealed.box, "base64").length * 8;

    const codes = Array.from({ length: bits }, (_, bit) =>
      codeOf(() => openSealed({ ...sealed, box: flipBit(sealed.box, bit) }, HOST)),
    );

    expect(new Set(codes)).toEqual(new Set(["secret-unreadable"]));
  });

  test("a box cut short at any byte, or with bytes added", () => {
    const sealed = seal(Buffer.from("secret words"), HOST.publicKey);
    const bytes = Buffer.from(sealed.box, "base64");
    const boxes = [...bytes.keys()].map((length) => bytes.subarray(0, length)).concat(Buffer.concat([bytes, bytes]));

    const codes = boxes.map((box) => codeOf(() => openSealed({ ...sealed, box: box.toString("base64") }, HOST)));

    expect(new Set(codes)).toEqual(new Set(["secret-unreadable"]));
  });

  test("a box for another host", () => {
    const other = generateSealingKey();

    expect(codeOf(() => openSealed(seal(Buffer.from("x"), other.publicKey), HOST))).toBe("secret-wrong-host");
  });

  test("a box for another host under this host's name", () => {
    const sealed = seal(Buffer.from("x"), generateSealingKey().publicKey);

    expect(codeOf(() => openSealed({ ...sealed, to: HOST.publicKey }, HOST))).toBe("secret-unreadable");
  });
});

describe("what is no key", () => {
  test.each([
    ["31 bytes", Buffer.alloc(31).toString("base64")],
    ["33 bytes", Buffer.alloc(33).toString("base64")],
    ["no padding", HOST.publicKey.replace("=", "")],
    ["nothing", ""],
  ])("%s cannot be sealed to", (_, to) => {
    expect(codeOf(() => seal(Buffer.from("x"), to))).toBe("invalid-request");
  });

  test("a secret of another length is refused", () => {
    expect(() => sealingKeyFromSecret(new Uint8Array(31))).toThrow(/size/);
  });
});
