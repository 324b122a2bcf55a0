/**
 * Requests as bytes, ready to be sent: rightly signed ones, and those that an attacker sends. Signing is done beforehand, so that
 * the sender is not what limits.
 */
import { randomBytes } from "node:crypto";

import type { Hotkey } from "../../../common/hotkey.ts";
import { signHeaders } from "../../../protocol/btauth.ts";

export type Kind = "valid" | "forged" | "unknown" | "stale" | "unsigned";

export interface Signers {
  /** The agent's hotkey. */
  readonly receiver: string;
  /** Served. */
  readonly known: Hotkey;
  /** Not served. */
  readonly unknown: Hotkey;
}

const METHOD = "GET";
const TARGET = "/v1/capacity";
const BODY = Buffer.alloc(0);
const STALE_MS = 60_000;

export class Requests {
  readonly #signers: Signers;
  readonly #strangersSignature: Uint8Array;
  #last = 0n;

  constructor(signers: Signers) {
    this.#signers = signers;
    this.#strangersSignature = signers.unknown.sign(BODY);
  }

  make(kind: Kind): Buffer {
    const head = `${METHOD} ${TARGET} HTTP/1.1\r\nHost: agent\r\n`;
    const headers = kind === "unsigned" ? [] : Object.entries(this.#headersOf(kind));
    return Buffer.from(`${head}${headers.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`);
  }

  #headersOf(kind: Exclude<Kind, "unsigned">): Record<string, string> {
    const { receiver, known, unknown } = this.#signers;
    const { ss58: sender, scheme } = kind === "unknown" ? unknown : known;
    const nonce = this.#nextNonce() - (kind === "stale" ? BigInt(STALE_MS) * 1_000_000n : 0n);
    const parts = { scheme, method: METHOD, target: TARGET, body: BODY, nonce, sender, receiver };
    return signHeaders(parts, (bytes) => (kind === "valid" ? known.sign(bytes) : this.#notOurs()));
  }

  /** What looks like a signature, to whoever does not check it. */
  #notOurs(): Uint8Array {
    return Buffer.concat([randomBytes(16), this.#strangersSignature.subarray(16)]);
  }

  #nextNonce(): bigint {
    const now = BigInt(Date.now()) * 1_000_000n;
    this.#last = now > this.#last ? now : this.#last + 1n;
    return this.#last;
  }
}
