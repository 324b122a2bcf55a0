/**
 * Networks for pods, as numbered slots of one pool of addresses: everything about a slot follows from its number, so
 * two executors on one machine mean the same slot by the same name and see when it is taken. Pure.
 */
import { z } from "zod";

import { formatAddress, formatCidr, overlaps, parseCidr, type Range } from "./cidr.ts";

/** The network that a pod's record claims, as it claims ports. */
export const PodNetwork = z.strictObject({ name: z.string(), subnet: z.string(), bridge: z.string() });
export type PodNetwork = z.infer<typeof PodNetwork>;

/** Eight addresses: of the network, the gateway, the pod, and the broadcast; a /30 would do, and leaves nothing for later. */
const SLOT_PREFIX = 29;
const SLOT_SIZE = 2 ** (32 - SLOT_PREFIX);
const NAME_PREFIX = "lium-net-";
/** Firewall rules match every interface whose name begins so. A Linux interface's name has at most 15 characters. */
export const BRIDGE_PREFIX = "lium";

export function slotCount(pool: string): number {
  const { prefix } = parseCidr(pool);
  return prefix > SLOT_PREFIX ? 0 : 2 ** (SLOT_PREFIX - prefix);
}

/** Throws RangeError beyond `slotCount`. */
export function slotAt(pool: string, index: number): PodNetwork {
  if (!Number.isInteger(index) || index < 0 || index >= slotCount(pool)) throw new RangeError(`no slot ${index}`);
  return networkOf({ first: parseCidr(pool).first + index * SLOT_SIZE, prefix: SLOT_PREFIX });
}

function networkOf({ first, prefix }: Pick<Range, "first" | "prefix">): PodNetwork {
  const address = formatAddress(first);
  return {
    name: NAME_PREFIX + address.replaceAll(".", "-"),
    subnet: `${address}/${prefix}`,
    bridge: BRIDGE_PREFIX + first.toString(16).padStart(8, "0"),
  };
}

/** The slot that a range of addresses is, or undefined when it is none: another size, or not cut where slots are. */
export function slotOfSubnet(subnet: string): PodNetwork | undefined {
  const range = parseCidr(subnet);
  return range.prefix === SLOT_PREFIX && formatCidr(range) === subnet ? networkOf(range) : undefined;
}

/** The host's own address in a network. */
export function gatewayOf({ subnet }: PodNetwork): string {
  return formatAddress(parseCidr(subnet).first + 1);
}

export interface SlotChoice {
  readonly pool: string;
  /** Ranges that pods' records hold already; they keep their slot also when the pool was changed meanwhile. */
  readonly taken: readonly string[];
  /** Ranges that others on this machine use: routes, interfaces, the engine's other networks. */
  readonly busy: readonly string[];
  /** Networks of ours that exist and serve nobody: preferred, because making one takes time. */
  readonly spares: readonly PodNetwork[];
}

/** A free slot, or undefined when every one overlaps something that is taken or busy. */
export function chooseSlot({ pool, taken, busy, spares }: SlotChoice): PodNetwork | undefined {
  const used = byFirstAddress([...taken, ...busy].map(parseCidr));
  const isFree = ({ subnet }: PodNetwork): boolean => !used.some((range) => overlaps(range, parseCidr(subnet)));
  return spares.find(isFree) ?? firstFree(parseCidr(pool), used);
}

/** Walks from hole to hole, so that a pool of thousands of slots costs as much as there are ranges in use. */
function firstFree(pool: Range, used: readonly Range[]): PodNetwork | undefined {
  let first = pool.first;
  for (const range of used) {
    if (range.last < first) continue;
    if (first + SLOT_SIZE - 1 < range.first) break;
    first = Math.ceil((range.last + 1) / SLOT_SIZE) * SLOT_SIZE;
  }
  return first + SLOT_SIZE - 1 <= pool.last ? networkOf({ first, prefix: SLOT_PREFIX }) : undefined;
}

function byFirstAddress(ranges: readonly Range[]): Range[] {
  return ranges.toSorted((a, b) => a.first - b.first);
}
