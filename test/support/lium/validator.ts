/**
 * A validator of Lium's as it comes in from outside, of either generation: it signs as they sign and sends what they send.
 */
import { once } from "node:events";

import { WebSocket } from "ws";

import type { Hotkey } from "../../../common/hotkey.ts";
import { keyStatement, signInStatement } from "../../../protocol/lium/statements.ts";
import { AGENT, ALICE } from "../api-servers.ts";

export interface SignInOver {
  readonly who?: Hotkey;
  readonly receiver?: string;
  /** Unix seconds. */
  readonly timestamp?: number;
  /** The name in the payload, where it is another than who signs. */
  readonly named?: string;
  readonly signature?: string;
}

/** Compact JSON, every field there, as their software writes it. */
export function signInFrame({
  who = ALICE,
  receiver = AGENT.ss58,
  timestamp,
  named,
  signature,
}: SignInOver = {}): string {
  const payload = {
    validator_hotkey: named ?? who.ss58,
    miner_hotkey: receiver,
    timestamp: timestamp ?? Math.floor(Date.now() / 1000),
  };
  const signed = signature ?? hex(who.sign(Buffer.from(signInStatement(payload))));
  return JSON.stringify({ message_type: "AuthenticateRequest", payload, signature: signed });
}

export interface KeyOver {
  readonly executor_id?: string | null;
  /** With the fields of the later generation. */
  readonly later?: boolean;
  readonly nonce?: string;
  readonly who?: Hotkey;
}

export function submitFrame(
  key: string,
  { executor_id = null, later = false, nonce, who = ALICE }: KeyOver = {},
): string {
  const frame = { message_type: "SSHPubKeySubmitRequest", public_key: key, executor_id, is_rental_request: false };
  if (!later) return JSON.stringify(frame);
  const validator_signature = hex(who.sign(Buffer.from(keyStatement(key, nonce))));
  return JSON.stringify({ ...frame, validator_signature, miner_hotkey: AGENT.ss58, nonce: nonce ?? null });
}

export function removeFrame(key: string, executor_id: string | null = null): string {
  return JSON.stringify({ message_type: "SSHPubKeyRemoveRequest", public_key: key, executor_id });
}

export function hex(bytes: Uint8Array): string {
  return `0x${Buffer.from(bytes).toString("hex")}`;
}

export class LiumSocket {
  readonly #socket: WebSocket;
  readonly #heard: Record<string, unknown>[] = [];
  readonly #listeners = new Set<() => void>();
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (data) => {
      this.#heard.push(JSON.parse((data as Buffer).toString()));
      for (const look of this.#listeners) look();
    });
    socket.on("error", () => undefined);
    this.closed = new Promise((resolve) =>
      socket.on("close", (code, reason) => resolve({ code, reason: reason.toString() })),
    );
  }

  /** Resolves once the socket is open; rejects with the status where it was turned away. */
  static async open(url: string, who: string = ALICE.ss58): Promise<LiumSocket> {
    const socket = new WebSocket(`ws://${url}/websocket/${who}`);
    const refused = once(socket, "unexpected-response").then(([, response]) => {
      throw new Error(`status ${(response as { statusCode: number }).statusCode}`);
    });
    await Promise.race([once(socket, "open"), refused]);
    refused.catch(() => undefined);
    return new LiumSocket(socket);
  }

  /** What was heard until now. */
  get heard(): readonly Record<string, unknown>[] {
    return this.#heard;
  }

  send(...frames: readonly string[]): void {
    for (const frame of frames) this.#socket.send(frame);
  }

  /** Resolves with the first message of that kind, also one of before; rejects when the socket ends without it. */
  async next(kind: string): Promise<Record<string, unknown>> {
    const { promise, resolve, reject } = Promise.withResolvers<Record<string, unknown>>();
    const look = (): void => {
      const found = this.#heard.find(({ message_type }) => message_type === kind);
      if (found !== undefined) resolve(found);
    };
    this.#listeners.add(look);
    look();
    void this.closed.then((end) => reject(new Error(`closed ${JSON.stringify(end)} before ${kind}`)));
    return promise.finally(() => this.#listeners.delete(look));
  }

  close(): void {
    this.#socket.close();
  }

  /** Without a word. */
  cut(): void {
    this.#socket.terminate();
  }
}
