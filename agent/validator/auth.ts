/**
 * Who is calling, by btauth/1: a hotkey that is served, which signed exactly this request, for this agent, just now, once.
 *
 * What is cheap comes first, so that a flood costs little. A hotkey's bucket and its nonces are looked at before the signature
 * is checked and used up only after it held: strangers can neither spend them nor fill them.
 */
import type { Clock } from "../../common/clock.ts";
import { verifySignature } from "../../common/hotkey.ts";
import { rateLimited } from "../../common/http-errors.ts";
import type { RawRequest, RequestHead } from "../../common/http-server.ts";
import { Buckets, type Rate } from "../../common/token-bucket.ts";
import {
  checkHead,
  DEFAULT_WINDOW,
  type FreshnessWindow,
  type HeadOptions,
  type SignatureScheme,
  verifyRequest,
} from "../../protocol/btauth.ts";
import { AppError } from "../../protocol/errors.ts";
import type { Hotkey } from "../../protocol/ids.ts";
import type { Caller } from "../fleet/use-cases.ts";
import { createReplayStore, type ReplayStore } from "./replay.ts";

export interface AuthOptions {
  /** Our own hotkey, which requests must be addressed to. */
  readonly hotkey: Hotkey;
  /** Who is served, and the scheme that each signs with; asked for each request, and it answers at once. */
  readonly allowed: Pick<ReadonlyMap<Hotkey, SignatureScheme>, "get">;
  readonly window?: FreshnessWindow;
  /** How many requests of one hotkey are carried out, whatever their addresses; no limit when left out. */
  readonly perHotkey?: Rate;
  readonly replay: ReplayStore;
  readonly clock: Clock;
}

export type Owner = Extract<Caller, { kind: "owner" }>;

export interface Authenticator {
  /** By the head alone. Throws one of the `auth-` errors. */
  readonly admit: (head: RequestHead) => void;
  /** Throws one of the `auth-` errors, or `rate-limited`. `initHotkeys` must be done before it is called. */
  readonly authenticate: (request: RawRequest) => Promise<Owner>;
}

export function createAuthenticator(options: AuthOptions): Authenticator {
  const { hotkey: receiver, allowed, window = DEFAULT_WINDOW, perHotkey, replay, clock } = options;
  const buckets = perHotkey === undefined ? undefined : new Buckets(perHotkey);
  const recent = createReplayStore(clock);

  function headOptions({ headers }: RequestHead): HeadOptions {
    return { headers, receiver, nowMs: clock.now(), window, schemeOf: (sender) => allowed.get(sender) };
  }

  function refuseBusyAndSpent({ hotkey, nonce }: { readonly hotkey: Hotkey; readonly nonce: bigint }): void {
    const waitMs = buckets?.look(hotkey, clock.monotonic()) ?? 0;
    if (waitMs > 0) throw rateLimited(waitMs);
    if (recent.knows(hotkey, nonce)) throw new AppError("auth-replayed");
  }

  return {
    admit: (head) => void checkHead(headOptions(head)),
    authenticate: async (request) => {
      const head = headOptions(request);
      const { method, target, body } = request;
      const checks = { method, target, body, before: refuseBusyAndSpent, verify: verifySignature };
      const { hotkey, nonce } = verifyRequest({ ...head, ...checks });
      // No nonce that is fresh now is fresh for longer than this.
      const expiresAtMs = head.nowMs + window.maxAgeMs + window.maxAheadMs;
      const isNew = await recent.remember(hotkey, nonce, expiresAtMs);
      if (!isNew || !(await replay.remember(hotkey, nonce, expiresAtMs))) throw new AppError("auth-replayed");
      const waitMs = buckets?.take(hotkey, clock.monotonic()) ?? 0;
      if (waitMs > 0) throw rateLimited(waitMs);
      return { kind: "owner", hotkey };
    },
  };
}
