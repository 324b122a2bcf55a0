/**
 * What a validator checks of a host's answers by itself: the bytes of seeded streams, and the tokens that ports give.
 */
import { createCipheriv, createHash } from "node:crypto";

import type { HostChallenge, PublicPort } from "./host-messages.ts";
import { digestOf } from "./messages.ts";
import { portTokenBytes } from "./signing.ts";

const CHUNK = 2 ** 20;

/** 32 bytes from which the stream of a `disk` or `bandwidth` challenge follows. */
export function streamKey(challenge: HostChallenge): Buffer {
  return createHash("sha256")
    .update(["lium-challenge/1", "stream", digestOf(challenge)].join("\n"))
    .digest();
}

/** AES-256 in counter mode over zeros, in pieces of a MiB; the last one may be shorter. */
export function* seededStream(key: Uint8Array, bytes: number): Generator<Buffer, void, void> {
  const cipher = createCipheriv("aes-256-ctr", key, Buffer.alloc(16));
  const zeros = Buffer.alloc(CHUNK);
  for (let left = bytes; left > 0; left -= CHUNK) yield cipher.update(zeros.subarray(0, Math.min(left, CHUNK)));
}

/** SHA-256 of the whole stream, as a host that read its disk, or a validator that pulled it, must find. Gigabytes take seconds. */
export function streamDigest(key: Uint8Array, bytes: number): string {
  const hash = createHash("sha256");
  for (const piece of seededStream(key, bytes)) hash.update(piece);
  return hash.digest("hex");
}

/** Whether these are the 64 bytes that this port was to give. `verify` is ed25519. */
export function isPortToken(
  { challengeId, hostKey, port }: { readonly challengeId: string; readonly hostKey: string; readonly port: PublicPort },
  token: Uint8Array,
  verify: (bytes: Uint8Array, signature: Uint8Array, publicKey: Uint8Array) => boolean,
): boolean {
  return token.length === 64 && verify(portTokenBytes(challengeId, port), token, Buffer.from(hostKey, "base64"));
}
