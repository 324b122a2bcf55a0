/**
 * Whether a challenge is for this agent, from who sent it, and of just now. Pure.
 */
import type { HostChallenge } from "../../protocol/challenge/host-messages.ts";
import type { Challenge } from "../../protocol/challenge/messages.ts";

/** How old a challenge may be when it comes, and how far its clock may be ahead. */
export const MAX_AGE_MS = 30_000;

export interface Reception {
  readonly caller: string;
  /** The agent's own. */
  readonly hotkey: string;
  readonly nowMs: number;
}

/** Why it is not taken. */
export function refusalOf(
  { validator, agent, issuedAt }: Pick<Challenge | HostChallenge, "validator" | "agent" | "issuedAt">,
  { caller, hotkey, nowMs }: Reception,
): string | undefined {
  if (validator !== caller) return "It names another validator than the one that asks.";
  if (agent !== hotkey) return "It is for another agent.";
  if (Math.abs(nowMs - Date.parse(issuedAt)) > MAX_AGE_MS) return "It was not issued just now, by this agent's clock.";
  return undefined;
}

/** Above the nonces of requests, so that the two never meet in one store. */
export function nonceOf(nonce: string): bigint {
  return BigInt(`0x2${nonce}`);
}
