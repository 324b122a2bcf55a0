/**
 * IPv4 ranges in CIDR notation, as numbers to compare. Pure. A range is always written with its first address.
 */
import { z } from "zod";

export interface Range {
  readonly first: number;
  readonly last: number;
  readonly prefix: number;
}

/** A range in canonical form: `10.1.2.3/8` is refused, because it may have been meant as an address. */
export const Cidr = z.cidrv4().refine((text) => formatCidr(parseCidr(text)) === text, {
  error: "a range begins with its first address, such as 10.0.0.0/8",
});

/** Throws RangeError for anything but four numbers, a slash and a length. The host's part of the address is cut off. */
export function parseCidr(text: string): Range {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(text);
  const [a, b, c, d, prefix] = (match?.slice(1) ?? []).map(Number);
  if (a === undefined || b === undefined || c === undefined || d === undefined || prefix === undefined) {
    throw new RangeError(`${text} is not an IPv4 range`);
  }
  if (Math.max(a, b, c, d) > 255 || prefix > 32) throw new RangeError(`${text} is not an IPv4 range`);
  const size = 2 ** (32 - prefix);
  const address = ((a * 256 + b) * 256 + c) * 256 + d;
  const first = address - (address % size);
  return { first, last: first + size - 1, prefix };
}

export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join(".");
}

export function formatCidr({ first, prefix }: Range): string {
  return `${formatAddress(first)}/${prefix}`;
}

export function overlaps(a: Range, b: Range): boolean {
  return a.first <= b.last && b.first <= a.last;
}
