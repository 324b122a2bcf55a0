/**
 * Which validators of the subnet are served: permit, stake and the operator's lists. Pure.
 */
import type { Hotkey } from "../../protocol/ids.ts";
import { type Metagraph, RAO_PER_TAO } from "./chain.ts";

/** A hotkey with a validator permit, as the chain told of it. */
export interface PermitHolder {
  readonly hotkey: Hotkey;
  readonly uid: number;
  readonly stakeRao: bigint;
}

export interface PermitRule {
  readonly minStakeTao: number;
  /** When not empty: nobody else. */
  readonly only: readonly Hotkey[];
  readonly deny: readonly Hotkey[];
}

export type Verdict = "permitted" | "denied" | "not-listed" | "too-little-stake";

export function permitHolders({ neurons }: Metagraph): PermitHolder[] {
  return neurons
    .filter(({ validatorPermit }) => validatorPermit)
    .map(({ hotkey, uid, stakeRao }) => ({ hotkey, uid, stakeRao }));
}

export function judge({ hotkey, stakeRao }: PermitHolder, { minStakeTao, only, deny }: PermitRule): Verdict {
  if (deny.includes(hotkey)) return "denied";
  if (only.length > 0 && !only.includes(hotkey)) return "not-listed";
  return stakeRao < BigInt(Math.round(minStakeTao * RAO_PER_TAO)) ? "too-little-stake" : "permitted";
}
