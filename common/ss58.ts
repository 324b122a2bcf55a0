/**
 * ss58 addresses of format 42: base58 of the format byte, a 32-byte public key and two bytes of BLAKE2b-512.
 *
 * Only the canonical spelling decodes, so two different texts are never the same key.
 */
import { createHash } from "node:crypto";

const FORMAT = 42;
const ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const KEY_BYTES = 32;
const CHECKSUM_BYTES = 2;
const ADDRESS_BYTES = 1 + KEY_BYTES + CHECKSUM_BYTES;

export function encodeSs58(publicKey: Uint8Array): string {
  const payload = Buffer.concat([Uint8Array.of(FORMAT), publicKey]);
  return toBase58(Buffer.concat([payload, checksumOf(payload)]));
}

/** The 32 bytes of the public key, or undefined when the text is no address of format 42 or its checksum is wrong. */
export function decodeSs58(text: string): Uint8Array | undefined {
  if (!/^5[1-9A-HJ-NP-Za-km-z]{46,47}$/.test(text)) return undefined;
  const hex = fromBase58(text).toString(16);
  if (hex.length !== 2 * ADDRESS_BYTES) return undefined;
  const address = Buffer.from(hex, "hex");
  const payload = address.subarray(0, -CHECKSUM_BYTES);
  const isValid = address[0] === FORMAT && checksumOf(payload).equals(address.subarray(-CHECKSUM_BYTES));
  return isValid ? payload.subarray(1) : undefined;
}

function checksumOf(payload: Uint8Array): Buffer {
  return createHash("blake2b512").update("SS58PRE").update(payload).digest().subarray(0, CHECKSUM_BYTES);
}

/** The format byte is not zero, so there are no leading zeros to keep. */
function toBase58(bytes: Buffer): string {
  let text = "";
  for (let value = BigInt(`0x${bytes.toString("hex")}`); value > 0n; value /= 58n) {
    text = ALPHABET.charAt(Number(value % 58n)) + text;
  }
  return text;
}

function fromBase58(text: string): bigint {
  return text.split("").reduce((value, digit) => value * 58n + BigInt(ALPHABET.indexOf(digit)), 0n);
}
