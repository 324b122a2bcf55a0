/**
 * Bytes as they travel in challenges: lower-case hex for digests, base64 for all that is longer, each in one spelling only.
 * Words of 32 bits go with their lowest byte first, as every processor that we run on holds them.
 */
import { z } from "zod";

export const DIGEST_BYTES = 32;
export const WORD_BYTES = 4;

/** 32 bytes. */
export const Digest = z.string().regex(/^[0-9a-f]{64}$/);

/** Canonical base64 of so many bytes. */
export function base64(minBytes: number, maxBytes: number) {
  return z
    .string()
    .max(Math.ceil(maxBytes / 3) * 4)
    .refine((text) => {
      const bytes = Buffer.from(text, "base64");
      return bytes.length >= minBytes && bytes.length <= maxBytes && bytes.toString("base64") === text;
    }, `must be base64 of ${minBytes} to ${maxBytes} bytes`);
}

export function hexBytes(text: string): Buffer {
  return Buffer.from(text, "hex");
}

export function encodeWords(words: Uint32Array): string {
  return Buffer.from(words.buffer, words.byteOffset, words.byteLength).toString("base64");
}

/** Undefined when there are not exactly `count` words. */
export function decodeWords(text: string, count: number): Uint32Array | undefined {
  const bytes = Buffer.from(text, "base64");
  return bytes.length === count * WORD_BYTES ? wordsOf(bytes) : undefined;
}

export function wordsOf(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(Uint8Array.from(bytes).buffer);
}
