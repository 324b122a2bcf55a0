/**
 * A number beside a text that tells whether the text is still the one that was written. It finds damage, not forgery.
 */
import { crc32 } from "node:zlib";

export function checksum(text: string): number {
  return crc32(text);
}

/**
 * In place of a number, beside a text that a program wrote which knows none. It is no empty place: damage makes those, by a single
 * byte.
 */
export const NO_SUM = -1;

/** Whether the text is as it was, or nobody can tell. */
export function isIntact(text: string, sum: unknown): boolean {
  return sum === NO_SUM || sum === crc32(text);
}
