/**
 * A number beside a text that tells whether the text is still the one that was written. It finds damage, not forgery.
 */
import { crc32 } from "node:zlib";

export function checksum(text: string): number {
  return crc32(text);
}

/** Whether the text is as it was; a text without a number, as older versions wrote them, counts as such. */
export function isIntact(text: string, sum: unknown): boolean {
  return sum === null || sum === undefined || sum === crc32(text);
}
