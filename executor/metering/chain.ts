/**
 * What makes the record of usage hard to change: every entry is hashed with the one before, and the host's key signs where
 * the chain ends. All of it is over canonical JSON: keys in order, no spaces, so that others can compute it again.
 */
import { createHash } from "node:crypto";

import { decodeEd25519PublicKey, type Ed25519Key, verifyEd25519 } from "../../common/ed25519.ts";
import type { Seal, SignedSeal } from "../../protocol/usage.ts";

/** Where in a chain one is: the number and the hash (hex) of the newest entry. */
export interface Link {
  readonly seq: number;
  readonly hash: string;
}

/** Before the first entry; another for every host, so that no chain can be taken for another's. */
export function genesis(host: string): Link {
  return { seq: 0, hash: sha256(`lium-usage ${host}`) };
}

/** The place of the next entry; `body` is its canonical JSON. */
export function nextLink(before: Link, body: string): Link {
  const seq = before.seq + 1;
  return { seq, hash: hashAt(seq, before.hash, body) };
}

export function hashAt(seq: number, hashBefore: string, body: string): string {
  return sha256(`${seq}\n${hashBefore}\n${body}`);
}

export function signSeal(key: Ed25519Key, seal: Omit<Seal, "v" | "host">): SignedSeal {
  const whole: Seal = { v: 1, host: key.publicKey, ...seal };
  return { seal: whole, signature: Buffer.from(key.sign(sealBytes(whole))).toString("base64") };
}

/** Whether this host's key made it, and for this purpose. */
export function isGenuine({ seal, signature }: SignedSeal, host: string, what: Seal["what"]): boolean {
  const key = decodeEd25519PublicKey(host);
  if (key === undefined || seal.host !== host || seal.what !== what) return false;
  return verifyEd25519(key, sealBytes(seal), Buffer.from(signature, "base64"));
}

/** JSON with the keys of every object in order. Takes what JSON can say and nothing else. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

function sealBytes(seal: Seal): Buffer {
  return Buffer.from(`lium-usage ${canonical(seal)}`);
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
