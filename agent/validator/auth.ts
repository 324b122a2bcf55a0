/**
 * Who is calling, by btauth/1: a hotkey that is served, which signed exactly this request, for this agent, just now, once.
 * The replay store is asked only after the signature held, so strangers cannot fill it.
 */
import type { Clock } from "../../common/clock.ts";
import { verifySignature } from "../../common/hotkey.ts";
import type { RawRequest } from "../../common/http-server.ts";
import { DEFAULT_WINDOW, type FreshnessWindow, type SignatureScheme, verifyRequest } from "../../protocol/btauth.ts";
import { AppError } from "../../protocol/errors.ts";
import type { Hotkey } from "../../protocol/ids.ts";
import type { Caller } from "../fleet/use-cases.ts";
import type { ReplayStore } from "./replay.ts";

export interface AuthOptions {
  /** Our own hotkey, which requests must be addressed to. */
  readonly hotkey: Hotkey;
  /** Who is served, and the scheme that each signs with; asked for each request, and it answers at once. */
  readonly allowed: Pick<ReadonlyMap<Hotkey, SignatureScheme>, "get">;
  readonly window?: FreshnessWindow;
  readonly replay: ReplayStore;
  readonly clock: Clock;
}

export type Owner = Extract<Caller, { kind: "owner" }>;

/** The function throws one of the `auth-` errors. `initHotkeys` must be done before it is called. */
export function createAuthenticator(options: AuthOptions): (request: RawRequest) => Promise<Owner> {
  const { hotkey: receiver, allowed, window = DEFAULT_WINDOW, replay, clock } = options;
  return async (request) => {
    const nowMs = clock.now();
    const { hotkey, nonce } = verifyRequest({
      ...request,
      receiver,
      nowMs,
      window,
      schemeOf: (sender) => allowed.get(sender),
      verify: verifySignature,
    });
    // No nonce that is fresh now is fresh for longer than this.
    const expiresAtMs = nowMs + window.maxAgeMs + window.maxAheadMs;
    if (!(await replay.remember(hotkey, nonce, expiresAtMs))) throw new AppError("auth-replayed");
    return { kind: "owner", hotkey };
  };
}
