/**
 * ed25519 by node:crypto: the key that says who an executor is, and the verification of its signatures.
 *
 * Public keys are 32 raw bytes and signatures 64, no other form is taken; secret keys leave as PEM, for a file.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from "node:crypto";

import { AppError } from "../protocol/errors.ts";

export interface Ed25519Key {
  /** base64 of the 32 bytes. */
  readonly publicKey: string;
  /** 64 bytes; the same for the same bytes. */
  sign(bytes: Uint8Array): Uint8Array;
  /** PKCS#8. Secret. */
  exportPem(): string;
}

export function generateEd25519(): Ed25519Key {
  return keyOf(generateKeyPairSync("ed25519").privateKey);
}

/** Throws `config-invalid` when the text is not the PEM of an ed25519 private key. */
export function importEd25519(pem: string): Ed25519Key {
  const key = tryTo(() => createPrivateKey(pem));
  if (key?.asymmetricKeyType !== "ed25519") {
    throw new AppError("config-invalid", { message: "This is not an ed25519 private key in PEM." });
  }
  return keyOf(key);
}

/** The 32 bytes of a public key in base64, or undefined when the text is anything else. */
export function decodeEd25519PublicKey(base64: string): Uint8Array | undefined {
  const bytes = Buffer.from(base64, "base64");
  return bytes.length === 32 && bytes.toString("base64") === base64 ? bytes : undefined;
}

/** False for a wrong signature and for anything that is not 32 and 64 bytes; never throws. */
export function verifyEd25519(publicKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  const x = Buffer.from(publicKey).toString("base64url");
  const key = tryTo(() => createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" }));
  return key !== undefined && verify(null, bytes, key, signature);
}

function keyOf(key: KeyObject): Ed25519Key {
  const { x = "" } = createPublicKey(key).export({ format: "jwk" });
  return {
    publicKey: Buffer.from(x, "base64url").toString("base64"),
    sign: (bytes) => sign(null, bytes, key),
    exportPem: () => key.export({ format: "pem", type: "pkcs8" }).toString(),
  };
}

function tryTo<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
