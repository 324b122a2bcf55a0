/**
 * Signs requests to an agent as a validator does. Every request gets a nonce of its own, also within one millisecond.
 */
import { randomInt } from "node:crypto";

import type { Clock } from "../../common/clock.ts";
import type { Hotkey } from "../../common/hotkey.ts";
import type { OutgoingRequest } from "../../common/http-client.ts";
import { signHeaders } from "../../protocol/btauth.ts";

const NANOSECONDS_PER_MS = 1_000_000;

export interface SignerOptions {
  readonly hotkey: Hotkey;
  /** The agent's hotkey. */
  readonly receiver: string;
  readonly clock: Clock;
}

export function createSigner(options: SignerOptions): (request: OutgoingRequest) => Record<string, string> {
  const { hotkey, receiver, clock } = options;
  let last = 0n;
  return (request) => {
    // The clock counts milliseconds; chance below them keeps two processes with one hotkey apart.
    const now = BigInt(clock.now()) * BigInt(NANOSECONDS_PER_MS) + BigInt(randomInt(NANOSECONDS_PER_MS));
    last = now > last ? now : last + 1n;
    const { scheme, ss58: sender } = hotkey;
    return signHeaders({ ...request, scheme, sender, receiver, nonce: last }, (bytes) => hotkey.sign(bytes));
  };
}
