/**
 * The executor's side of the link: dials the agent, keeps a session, and dials again when the link breaks.
 * Pods do not notice any of this.
 */
import { TLSSocket } from "node:tls";

import { WebSocket } from "ws";

import { type Backoff, backoffMs } from "../../common/backoff.ts";
import { AppError, toAppError } from "../../protocol/errors.ts";
import {
  CHALLENGE_WORDS,
  GPU_WORDS,
  LINK_PATH,
  MAX_FRAME_BYTES,
  PING_EVERY_MS,
  REMEDY_WORDS,
  WORDS_HEADER,
} from "../../protocol/link.ts";
import type { Membership } from "./membership.ts";
import { Session, type SessionDeps } from "./session.ts";

export interface LinkOptions {
  readonly reconnect: Backoff;
}

export interface LinkDeps extends SessionDeps {
  /** In [0, 1): spreads the reconnections of a fleet. */
  readonly random: () => number;
}

/** The agent pings; a link that is silent for so long is given up. */
const SILENCE_MS = 3 * PING_EVERY_MS;

export class LinkClient {
  readonly #options: LinkOptions;
  readonly #deps: LinkDeps;
  readonly #closing = new AbortController();
  #finished: Promise<void> | undefined;
  #connected = false;

  constructor(options: LinkOptions, deps: LinkDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  get connected(): boolean {
    return this.#connected;
  }

  start(): void {
    this.#finished ??= this.#run();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#finished;
  }

  async #run(): Promise<void> {
    const { clock, log, random } = this.#deps;
    const { reconnect } = this.#options;
    for (let failures = 1; !this.#closing.signal.aborted; failures += 1) {
      const began = clock.monotonic();
      try {
        await this.#session();
      } catch (error) {
        log.warn("the link to the agent is down", { reason: toAppError(error).message, code: toAppError(error).code });
      }
      this.#connected = false;
      if (clock.monotonic() - began > reconnect.maxDelayMs) failures = 1;
      await clock.sleep(backoffMs(failures, reconnect, random), this.#closing.signal).catch(() => undefined);
    }
  }

  /** One connection, from dialling to its end. Rejects with the reason for the end. */
  async #session(): Promise<void> {
    const socket = dial(this.#deps.membership);
    const ended = Promise.withResolvers<never>();
    const over = new AbortController();
    const fail = (error: unknown): void => ended.reject(error);
    const watchdog = setTimeout(
      () => fail(new AppError("connection-failed", { message: "The agent went silent." })),
      SILENCE_MS,
    );
    const alive = (): void => void watchdog.refresh();
    this.#closing.signal.addEventListener(
      "abort",
      () => fail(new AppError("connection-failed", { message: "closing" })),
      {
        signal: over.signal,
      },
    );
    const session = new Session(socket, this.#deps, over.signal);
    socket.on("ping", alive);
    socket.on("message", (data) => {
      alive();
      session
        .receive(textOf(data))
        .then(() => {
          this.#connected = session.welcomed;
        })
        .catch(fail);
    });
    socket.on("error", (cause) => fail(new AppError("connection-failed", { message: cause.message, cause })));
    socket.on("close", (code) =>
      fail(new AppError("connection-failed", { message: `The agent closed the link (${code}).` })),
    );
    try {
      await ended.promise;
    } finally {
      over.abort();
      clearTimeout(watchdog);
      socket.terminate();
    }
  }
}

/** Connects and checks, before anything is sent, that the certificate is the one that the join token named. */
function dial({ url, fingerprint }: Membership): WebSocket {
  const socket = new WebSocket(new URL(LINK_PATH, url), {
    // The pin is the trust: the certificate is the agent's own, and no authority vouches for it.
    rejectUnauthorized: false,
    maxPayload: MAX_FRAME_BYTES,
    handshakeTimeout: SILENCE_MS,
    perMessageDeflate: false,
    headers: { [WORDS_HEADER]: `${GPU_WORDS} ${REMEDY_WORDS} ${CHALLENGE_WORDS}` },
  });
  socket.on("upgrade", (response) => {
    const seen = fingerprintOf(response.socket);
    if (seen !== fingerprint) {
      socket.emit(
        "error",
        new AppError("link-refused", { message: "The agent's certificate is not the one in the join token." }),
      );
      socket.terminate();
    }
  });
  return socket;
}

function fingerprintOf(socket: unknown): string | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  return socket.getPeerCertificate().fingerprint256.replaceAll(":", "").toLowerCase();
}

function textOf(data: WebSocket.RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString("utf8");
  return Buffer.isBuffer(data) ? data.toString("utf8") : Buffer.from(data).toString("utf8");
}
