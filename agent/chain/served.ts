/**
 * Who is served, and with which scheme: those that the operator names, then those that the chain permits. Who is denied
 * is not served, whoever named it.
 */
import type { SignatureScheme } from "../../protocol/btauth.ts";
import type { Hotkey } from "../../protocol/ids.ts";

export interface Permits {
  /** Answers at once, by what is known. */
  permitted(hotkey: string): boolean;
}

export interface ServedOptions {
  readonly allow: readonly { readonly hotkey: Hotkey; readonly scheme: SignatureScheme }[];
  readonly deny: readonly Hotkey[];
  readonly chain: Permits;
}

/** For the authenticator, in place of the allow-list alone. The chain's hotkeys sign with sr25519. */
export function servedValidators({
  allow,
  deny,
  chain,
}: ServedOptions): Pick<ReadonlyMap<Hotkey, SignatureScheme>, "get"> {
  const named = new Map(allow.map(({ hotkey, scheme }) => [hotkey, scheme]));
  const denied = new Set(deny);
  return {
    get: (hotkey) => {
      if (denied.has(hotkey)) return undefined;
      return named.get(hotkey) ?? (chain.permitted(hotkey) ? "sr25519" : undefined);
    },
  };
}
