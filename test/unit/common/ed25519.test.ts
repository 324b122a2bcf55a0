/**
 * The executor's identity key: known answers of RFC 8032, forms in and out, and everything that must not verify.
 */
import { generateKeyPairSync } from "node:crypto";

import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { decodeEd25519PublicKey, generateEd25519, importEd25519, verifyEd25519 } from "../../../common/ed25519.ts";

const GROUP_ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;

function fromHex(text: string): Buffer {
  return Buffer.from(text, "hex");
}

function rawKey(base64: string): Uint8Array {
  return decodeEd25519PublicKey(base64) ?? new Uint8Array();
}

describe("RFC 8032, section 7.1, test 2", () => {
  const pem = [
    "-----BEGIN PRIVATE KEY-----",
    fromHex(
      "302e020100300506032b657004220420" + "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
    ).toString("base64"),
    "-----END PRIVATE KEY-----",
    "",
  ].join("\n");
  const publicKey = fromHex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
  const signature = fromHex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da" +
      "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
  );

  test("the key gives its public half, its signature and its PEM", () => {
    const key = importEd25519(pem);

    expect(key.publicKey).toBe(publicKey.toString("base64"));
    expect(Buffer.from(key.sign(Uint8Array.of(0x72)))).toEqual(signature);
    expect(key.exportPem()).toBe(pem);
  });

  test("the signature holds for those bytes alone", () => {
    expect(verifyEd25519(publicKey, Uint8Array.of(0x72), signature)).toBe(true);
    expect(verifyEd25519(publicKey, Uint8Array.of(0x73), signature)).toBe(false);
  });

  test("a second signature made by adding the group's order is refused", () => {
    const s = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString("hex")}`) + GROUP_ORDER;
    const forged = Buffer.concat([signature.subarray(0, 32), fromHex(s.toString(16).padStart(64, "0")).reverse()]);

    expect(forged).toHaveLength(64);
    expect(verifyEd25519(publicKey, Uint8Array.of(0x72), forged)).toBe(false);
  });
});

test("what a key signs holds, after the key went through PEM and its public half through base64", () => {
  const key = importEd25519(generateEd25519().exportPem());

  fc.assert(fc.property(fc.uint8Array(), (bytes) => verifyEd25519(rawKey(key.publicKey), bytes, key.sign(bytes))));
});

test("a signature with any one bit flipped, or another's key, does not hold", () => {
  const [key, other] = [generateEd25519(), generateEd25519()];
  const bytes = Buffer.from("bytes");
  const signature = key.sign(bytes);

  fc.assert(
    fc.property(fc.nat(511), (bit) => {
      const flipped = Buffer.from(signature);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      return !verifyEd25519(rawKey(key.publicKey), bytes, flipped);
    }),
  );
  expect(verifyEd25519(rawKey(other.publicKey), bytes, signature)).toBe(false);
});

test("keys and signatures of another length are refused, not thrown at", () => {
  const key = generateEd25519();
  const bytes = Buffer.from("bytes");
  const [publicKey, signature] = [rawKey(key.publicKey), key.sign(bytes)];

  expect(verifyEd25519(publicKey.subarray(1), bytes, signature)).toBe(false);
  expect(verifyEd25519(Buffer.concat([publicKey, Buffer.alloc(1)]), bytes, signature)).toBe(false);
  expect(verifyEd25519(publicKey, bytes, signature.subarray(1))).toBe(false);
  expect(verifyEd25519(publicKey, bytes, Buffer.concat([signature, Buffer.alloc(1)]))).toBe(false);
  expect(verifyEd25519(Buffer.alloc(32, 0xff), bytes, signature)).toBe(false);
});

test.each([
  ["nothing", ""],
  ["31 bytes", Buffer.alloc(31).toString("base64")],
  ["33 bytes", Buffer.alloc(33).toString("base64")],
  ["base64 without padding", Buffer.alloc(32).toString("base64").replace("=", "")],
  ["base64 with a line break", `${Buffer.alloc(32).toString("base64")}\n`],
  ["base64 of URLs", Buffer.alloc(32, 0xff).toString("base64url")],
])("%s is no public key", (_, text) => {
  expect(decodeEd25519PublicKey(text)).toBeUndefined();
});

test.each([
  ["nothing", ""],
  ["text", "hello"],
  [
    "a public key",
    "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAPUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=\n-----END PUBLIC KEY-----\n",
  ],
  [
    "a key of another kind",
    generateKeyPairSync("x25519").privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
  ],
])("%s is no private key", (_, text) => {
  expect(() => importEd25519(text)).toThrow(expect.objectContaining({ code: "config-invalid" }));
});
