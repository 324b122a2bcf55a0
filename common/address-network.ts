/**
 * Which addresses count as one caller: an IPv4 address alone, of IPv6 a /64, which is what one customer of a provider has.
 */
import { isIPv6 } from "node:net";

/** Of what a socket names as the other side's address; the text itself where that is no IPv6 address. */
export function networkOf(address: string): string {
  const [plain = ""] = address.split("%");
  if (!isIPv6(plain)) return plain;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(plain)?.[1];
  return mapped ?? `${groupsOf(plain).slice(0, 4).join(":")}::/64`;
}

/** All eight, without leading zeros. */
function groupsOf(address: string): string[] {
  const [head = "", tail = ""] = address.split("::");
  const [before, after] = [head, tail].map((part) => (part === "" ? [] : part.split(":")));
  // An IPv4 address at the end fills two groups.
  const last = after?.at(-1)?.includes(".") === true ? 1 : 0;
  const missing = Math.max(0, 8 - (before?.length ?? 0) - (after?.length ?? 0) - last);
  const middle = address.includes("::") ? Array.from({ length: missing }, () => "0") : [];
  return [...(before ?? []), ...middle, ...(after ?? [])].map((group) => Number.parseInt(group, 16).toString(16));
}
