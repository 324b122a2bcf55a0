/**
 * Whether to announce where we listen, now, later or not at all. Pure.
 */
import { type Axon, BLOCK_MS, type Metagraph } from "./chain.ts";
import { addressNumber } from "./ip-number.ts";
import { AXON_PROTOCOL, AXON_VERSION } from "./serve-axon-call.ts";
import { neuronOf } from "./standing.ts";

export type Announcement =
  /** The chain says what we want it to say. */
  | { readonly do: "nothing" }
  | { readonly do: "announce" }
  /** The chain would refuse it: too soon after the last one. */
  | { readonly do: "wait"; readonly forMs: number }
  | { readonly do: "register-first" };

export function announcementDue(wanted: Axon, metagraph: Metagraph, hotkey: string): Announcement {
  const own = neuronOf(metagraph, hotkey);
  if (own === undefined) return { do: "register-first" };
  const { axon } = own;
  if (axon === undefined) return { do: "announce" };
  const isSame =
    addressNumber(axon.ip) === addressNumber(wanted.ip) &&
    axon.port === wanted.port &&
    axon.version === AXON_VERSION &&
    axon.protocol === AXON_PROTOCOL;
  if (isSame) return { do: "nothing" };
  const blocksLeft = axon.block + metagraph.servingRateLimit - metagraph.block;
  return blocksLeft > 0 ? { do: "wait", forMs: blocksLeft * BLOCK_MS } : { do: "announce" };
}
