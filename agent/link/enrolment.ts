/**
 * Invitations for new hosts. A join secret has 256 bits of chance and is stored as its hash alone: who reads the store
 * cannot enrol with it, and looking a hash up gives nothing away about the secret.
 */
import { createHash, randomBytes } from "node:crypto";

import type { Clock } from "../../common/clock.ts";
import { encodeJoinToken } from "../../protocol/link.ts";
import type { Invitation } from "../../protocol/operator-api.ts";
import type { Store } from "../store/store.ts";

export interface InvitationDeps {
  readonly store: Store;
  readonly clock: Clock;
  /** Where executors reach this agent, `wss://…`. */
  readonly url: () => string;
  /** Of our certificate. */
  readonly fingerprint: string;
}

/** Makes a join token for one host and keeps its hash until it is used or `ttlSeconds` have passed. */
export async function invite(ttlSeconds: number, deps: InvitationDeps): Promise<Invitation> {
  const { store, clock, url, fingerprint } = deps;
  const secret = randomBytes(32).toString("base64url");
  const nowMs = clock.now();
  const expiresAtMs = nowMs + ttlSeconds * 1000;
  await store.addJoinToken({ secretHash: hashSecret(secret), expiresAtMs });
  const at = new Date(nowMs).toISOString();
  await store.write({ audit: [{ at, who: "operator", action: "invite", subject: "-", outcome: "done" }] });
  return {
    token: encodeJoinToken({ url: url(), fingerprint, secret }),
    expiresAt: new Date(expiresAtMs).toISOString(),
  };
}

export function hashSecret(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}
