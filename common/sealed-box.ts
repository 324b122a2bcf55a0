/**
 * Seals a secret to a host's key and opens it there: tweetnacl's box (x25519, XSalsa20-Poly1305), and nothing else of it.
 *
 * Every secret gets its own key pair and nonce; nobody but the host's key opens it, the sender included.
 */
import nacl from "tweetnacl";

import { AppError } from "../protocol/errors.ts";
import { EPHEMERAL_KEY_BYTES, MAX_SECRET_BYTES, NONCE_BYTES, type Sealed } from "../protocol/sealed.ts";

export interface SealingKeyPair {
  /** base64; hosts publish it as their sealingKey. */
  readonly publicKey: string;
  readonly secretKey: Uint8Array;
}

export function generateSealingKey(): SealingKeyPair {
  return publish(nacl.box.keyPair());
}

/** The pair that belongs to 32 secret bytes; any other length throws. */
export function sealingKeyFromSecret(secret: Uint8Array): SealingKeyPair {
  return publish(nacl.box.keyPair.fromSecretKey(new Uint8Array(secret)));
}

/** Throws `invalid-request` for a recipient that is no key or a secret longer than MAX_SECRET_BYTES. */
export function seal(plaintext: Uint8Array, to: string): Sealed {
  const recipient = Buffer.from(to, "base64");
  if (recipient.length !== nacl.box.publicKeyLength || recipient.toString("base64") !== to) {
    throw new AppError("invalid-request", { message: "The sealing key must be base64 of 32 bytes." });
  }
  if (plaintext.length > MAX_SECRET_BYTES) {
    throw new AppError("invalid-request", { message: `A sealed secret has at most ${MAX_SECRET_BYTES} bytes.` });
  }
  const ephemeral = nacl.box.keyPair();
  const nonce = nacl.randomBytes(NONCE_BYTES);
  const ciphertext = nacl.box(plaintext, nonce, recipient, ephemeral.secretKey);
  ephemeral.secretKey.fill(0);
  return { to, box: Buffer.concat([ephemeral.publicKey, nonce, ciphertext]).toString("base64") };
}

/** Throws `secret-wrong-host` when it was sealed to another key, `secret-unreadable` when it was altered. */
export function openSealed(sealed: Sealed, key: SealingKeyPair): Uint8Array {
  if (sealed.to !== key.publicKey) throw new AppError("secret-wrong-host");
  const box = Buffer.from(sealed.box, "base64");
  const sender = box.subarray(0, EPHEMERAL_KEY_BYTES);
  const nonce = box.subarray(EPHEMERAL_KEY_BYTES, EPHEMERAL_KEY_BYTES + NONCE_BYTES);
  const ciphertext = box.subarray(EPHEMERAL_KEY_BYTES + NONCE_BYTES);
  if (nonce.length !== NONCE_BYTES || !isCanonicalKey(sender)) throw new AppError("secret-unreadable");
  const plaintext = nacl.box.open(ciphertext, nonce, sender, key.secretKey);
  if (plaintext === null) throw new AppError("secret-unreadable");
  return plaintext;
}

/** x25519 ignores the highest bit of a public key, so a box with that bit flipped would open just the same. */
function isCanonicalKey(publicKey: Uint8Array): boolean {
  return ((publicKey[31] ?? 0xff) & 0x80) === 0;
}

function publish({ publicKey, secretKey }: nacl.BoxKeyPair): SealingKeyPair {
  return { publicKey: Buffer.from(publicKey).toString("base64"), secretKey };
}
