/**
 * Who signs in: a validator that is served, by its own address, for this agent, just now, once. What is cheap is checked
 * first, the signature then, and the replay store last, so that strangers cannot fill it.
 */
import { createHash } from "node:crypto";

import type { Clock } from "../../common/clock.ts";
import { verifySignature } from "../../common/hotkey.ts";
import type { SignatureScheme } from "../../protocol/btauth.ts";
import { AppError } from "../../protocol/errors.ts";
import { Hotkey } from "../../protocol/ids.ts";
import type { SignIn } from "../../protocol/lium/rest.ts";
import { signedAtMs, signInStatement } from "../../protocol/lium/statements.ts";
import type { ReplayStore } from "../validator/replay.ts";

export interface SignInDeps {
  /** Our own hotkey. */
  readonly hotkey: Hotkey;
  /** Who is served; Lium's validators sign with sr25519. */
  readonly allowed: Pick<ReadonlyMap<Hotkey, SignatureScheme>, "get">;
  readonly replay: Pick<ReplayStore, "remember">;
  readonly skewMs: number;
  readonly clock: Clock;
}

/** `from` is who the connection says it is. Throws one of the `auth-` errors, or what the replay store throws. */
export async function checkSignIn({ payload, signature }: SignIn, from: string, deps: SignInDeps): Promise<Hotkey> {
  const { hotkey, replay, skewMs, clock } = deps;
  const validator = servedHotkey(from, deps);
  const nowMs = clock.now();
  const ageMs = nowMs - signedAtMs(payload.timestamp);
  if (ageMs > skewMs) throw new AppError("auth-stale");
  if (-ageMs > skewMs) throw new AppError("auth-future");
  if (payload.miner_hotkey !== hotkey) throw new AppError("auth-wrong-receiver");
  if (payload.validator_hotkey !== validator) throw new AppError("auth-bad-signature");
  if (!hasSigned(validator, signInStatement(payload), signature)) throw new AppError("auth-bad-signature");
  const nonce = replayNonce("sign-in", Buffer.from(signature.slice(2), "hex"));
  if (!(await replay.remember(validator, nonce, nowMs + 2 * skewMs))) throw new AppError("auth-replayed");
  return validator;
}

/** Throws `auth-hotkey-not-allowed`. */
export function servedHotkey(from: string, { allowed }: Pick<SignInDeps, "allowed">): Hotkey {
  const validator = Hotkey.safeParse(from);
  if (validator.success && allowed.get(validator.data) === "sr25519") return validator.data;
  throw new AppError("auth-hotkey-not-allowed");
}

/** Over the text as it is, or wrapped as wallets wrap what people sign: the network's own software takes either. */
export function hasSigned(validator: Hotkey, text: string, signature: string): boolean {
  if (!/^0x[0-9a-fA-F]{128}$/.test(signature)) return false;
  const bytes = Buffer.from(signature.slice(2), "hex");
  return [text, `<Bytes>${text}</Bytes>`].some((said) =>
    verifySignature("sr25519", Buffer.from(said), bytes, validator),
  );
}

/** Far above the nanoseconds that other requests count by, so the two never meet in one store. */
export function replayNonce(use: "sign-in" | "key", bytes: Uint8Array): bigint {
  const digest = createHash("sha256").update(`lium/${use}\n`).update(bytes).digest("hex");
  return BigInt(`0x1${digest}`);
}
