/**
 * Who is on the other end of a link: the executor whose key signed our nonce together with our certificate.
 */
import { createHash } from "node:crypto";

import { decodeEd25519PublicKey, verifyEd25519 } from "../../common/ed25519.ts";
import { AppError } from "../../protocol/errors.ts";
import { HostId } from "../../protocol/ids.ts";
import { helloBytes, type ToAgent } from "../../protocol/link.ts";
import { LINK_VERSION } from "../../protocol/version.ts";

export type Hello = Extract<ToAgent, { type: "hello" }>;

export interface Challenge {
  readonly nonce: string;
  /** Of our certificate, as the executor must have seen it. */
  readonly fingerprint: string;
}

/** Throws `link-protocol` for another version and `link-refused` for a signature that does not hold. */
export function identifyHost(hello: Hello, { nonce, fingerprint }: Challenge): HostId {
  if (hello.version !== LINK_VERSION) {
    throw new AppError("link-protocol", {
      message: `The executor speaks version ${hello.version} of the link, this agent speaks ${LINK_VERSION}.`,
    });
  }
  const publicKey = decodeEd25519PublicKey(hello.publicKey);
  const signature = Buffer.from(hello.signature, "base64");
  if (publicKey === undefined || !verifyEd25519(publicKey, helloBytes(nonce, fingerprint), signature)) {
    throw new AppError("link-refused", { message: "The executor's signature does not hold." });
  }
  return hostIdOf(publicKey);
}

export function hostIdOf(publicKey: Uint8Array): HostId {
  return HostId.parse(`host-${createHash("sha256").update(publicKey).digest("hex").slice(0, 16)}`);
}
