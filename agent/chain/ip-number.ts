/**
 * IP addresses as the numbers by which the chain knows them, and back. Pure.
 */
import { isIPv4, isIPv6 } from "node:net";

/** Undefined for text that is no address. An IPv6 address with a zone has no number. */
export function addressNumber(ip: string): bigint | undefined {
  if (isIPv4(ip)) return BigInt(`0x${hexOfIpv4(ip)}`);
  if (!isIPv6(ip) || ip.includes("%")) return undefined;
  const mapped = ip.replace(/[\d.]+\.[\d.]+$/, (tail) => hexOfIpv4(tail).replace(/^(.{4})/, "$1:"));
  const [head = [], tail = []] = mapped.split("::").map((half) => half.split(":").filter((group) => group !== ""));
  const zeros = Array<string>(8 - head.length - tail.length).fill("0");
  return BigInt(`0x${[...head, ...zeros, ...tail].map((group) => group.padStart(4, "0")).join("")}`);
}

/** Groups of IPv6 are all written out. */
export function addressText(number: bigint, family: 4 | 6): string {
  const hex = number.toString(16).padStart(family === 4 ? 8 : 32, "0");
  const groups = hex.match(family === 4 ? /../g : /.{4}/g) ?? [];
  return family === 4
    ? groups.map((group) => Number.parseInt(group, 16)).join(".")
    : groups.map((group) => Number.parseInt(group, 16).toString(16)).join(":");
}

function hexOfIpv4(ip: string): string {
  return ip
    .split(".")
    .map((part) => Number(part).toString(16).padStart(2, "0"))
    .join("");
}
