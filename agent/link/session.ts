/**
 * One connection with an executor: challenged, identified, live, closed, in this order and never back.
 *
 * Frames are taken one after the other, so that statuses and events are stored in the order in which they happened;
 * what comes faster than it is stored waits in the socket. Losing a session loses nothing: the next one tells again.
 */
import { randomBytes } from "node:crypto";
import { on } from "node:events";

import { WebSocket } from "ws";

import type { Clock } from "../../common/clock.ts";
import type { Logger } from "../../common/logger.ts";
import { startTicker } from "../../common/ticker.ts";
import { ChallengeNews, type ChallengeOrder } from "../../protocol/challenge/exchange.ts";
import { AppError, toAppError } from "../../protocol/errors.ts";
import type { HostId, PodId } from "../../protocol/ids.ts";
import {
  CHALLENGE_WORDS,
  GPU_WORDS,
  PING_EVERY_MS,
  REMEDY_WORDS,
  ToAgent,
  type ToExecutor,
} from "../../protocol/link.ts";
import type { LogLine, LogQuery, WantedPod } from "../../protocol/pod.ts";
import type { HostLink } from "../fleet/host-link.ts";
import type { HostReports } from "../fleet/host-reports.ts";
import type { GpuReports } from "../gpus/gpu-reports.ts";
import { hashSecret } from "./enrolment.ts";
import { identifyHost } from "./identity.ts";
import { LogStreams } from "./log-streams.ts";

export interface ChallengeEars {
  heard(hostId: HostId, news: ChallengeNews): void;
  lost(hostId: HostId): void;
}

export interface SessionDeps {
  readonly reports: HostReports;
  readonly gpus: Pick<GpuReports, "listen" | "breaker">;
  /** Hears what hosts say of challenges, and of the end of their links. */
  readonly challenges: ChallengeEars;
  /** Words that not every version knows, and this executor does. */
  readonly words: readonly string[];
  readonly clock: Clock;
  readonly log: Logger;
  /** Of the certificate that we showed. */
  readonly fingerprint: string;
  /** Called once the host has proved who it is and is let in. */
  readonly onAdmitted: () => void;
}

/** More than this unsent means that the host does not read. */
const MAX_BUFFERED_BYTES = 16 * 2 ** 20;
/** So many frames may wait to be taken before the socket is no longer read. */
const FRAMES_WAITING = { highWaterMark: 256, lowWaterMark: 64 };
const POLICY_VIOLATION = 1008;

export class Session implements HostLink {
  readonly #socket: WebSocket;
  readonly #deps: SessionDeps;
  readonly #over = new AbortController();
  readonly #logs = new LogStreams((frame) => this.#send(frame));
  #lastHeardMs: number;
  #takeGpus: (report: unknown) => void = () => undefined;

  constructor(socket: WebSocket, deps: SessionDeps) {
    this.#socket = socket;
    this.#deps = deps;
    this.#lastHeardMs = deps.clock.monotonic();
  }

  /** From the challenge to the end of the connection. Never rejects. */
  async run(): Promise<void> {
    const { log } = this.#deps;
    const frames = this.#frames();
    try {
      const hostId = await this.#identify(frames);
      await this.#serve(hostId, frames);
    } catch (error) {
      const { code, message } = toAppError(error);
      log.info("a link was closed", { code, reason: message });
      this.#socket.close(POLICY_VIOLATION, code);
    } finally {
      this.#over.abort();
      this.#logs.close();
    }
  }

  /** One pod a frame: together they could be larger than a frame may be. */
  want(pods: readonly WantedPod[]): void {
    for (const pod of pods) this.#send({ type: "want", pods: [pod] });
  }

  logs(podId: PodId, query: LogQuery, signal: AbortSignal): AsyncIterable<LogLine> {
    return this.#logs.open(podId, query, signal);
  }

  challenge(order: ChallengeOrder): boolean {
    if (!this.#deps.words.includes(CHALLENGE_WORDS)) return false;
    this.#send({ type: "prove", order });
    return true;
  }

  replace(): void {
    this.#socket.close(POLICY_VIOLATION, "replaced");
  }

  /** Lets go of the connection. */
  close(): void {
    this.#socket.terminate();
  }

  /** Yields frames as they come, checked; ends with the connection. */
  async *#frames(): AsyncGenerator<ToAgent, void, void> {
    const options = { close: ["close"], signal: this.#over.signal, ...FRAMES_WAITING };
    for await (const [data] of on(this.#socket, "message", options)) yield parseFrame(data);
  }

  /** Resolves once the host has proved who it is and is let in. */
  async #identify(frames: AsyncGenerator<ToAgent>): Promise<HostId> {
    const { reports, fingerprint, onAdmitted } = this.#deps;
    const nonce = randomBytes(32).toString("base64url");
    const first = frames.next();
    this.#send({ type: "challenge", nonce });
    try {
      const { value: hello } = await first;
      if (hello?.type !== "hello") throw new AppError("link-protocol", { message: "The first frame must be hello." });
      const hostId = identifyHost(hello, { nonce, fingerprint });
      const { name, publicKey, joinSecret } = hello;
      const secretHash = joinSecret === undefined ? undefined : hashSecret(joinSecret);
      await reports.admit({ hostId, name, publicKey, secretHash });
      onAdmitted();
      return hostId;
    } catch (error) {
      const { code, message } = toAppError(error);
      this.#send({ type: "refused", code, message });
      throw error;
    }
  }

  async #serve(hostId: HostId, frames: AsyncGenerator<ToAgent>): Promise<void> {
    const { reports, gpus, challenges, words, log } = this.#deps;
    const eventCursor = reports.connected(hostId, this);
    this.#send({ type: "welcome", hostId, eventCursor });
    log.info("a host is linked", { hostId });
    if (words.includes(GPU_WORDS)) this.#takeGpus = gpus.listen(hostId, (cursor) => this.#askForGpus(cursor));
    const forgetBreaker = words.includes(REMEDY_WORDS) ? this.#tellOf(gpus.breaker) : undefined;
    const heartbeat = this.#startHeartbeat();
    try {
      for await (const frame of frames) await this.#take(hostId, frame);
    } finally {
      this.#over.abort();
      forgetBreaker?.();
      challenges.lost(hostId);
      await heartbeat.done;
      await reports.disconnected(hostId, this);
      log.info("a host is no longer linked", { hostId });
    }
  }

  async #take(hostId: HostId, frame: ToAgent): Promise<void> {
    const { reports } = this.#deps;
    switch (frame.type) {
      case "hello":
        throw new AppError("link-protocol", { message: "The host has said hello before." });
      case "facts":
        return reports.facts(hostId, frame.facts);
      case "statuses":
        return reports.statuses(hostId, this, frame);
      case "events": {
        const eventCursor = await reports.events(hostId, frame.events);
        return this.#send({ type: "acknowledge", eventCursor });
      }
      case "item":
      case "done":
      case "failed":
        return this.#logs.take(frame);
      case "proof":
        return this.#hearProof(hostId, frame.news);
      case "gpus":
        return this.#takeGpus(frame.report);
    }
  }

  #hearProof(hostId: HostId, said: unknown): void {
    const news = ChallengeNews.safeParse(said);
    if (news.success) this.#deps.challenges.heard(hostId, news.data);
    else this.#deps.log.warn("what a host said of a challenge cannot be read", { hostId });
  }

  #askForGpus(cursor: string | undefined): void {
    this.#send({ type: "gpus-from", ...(cursor === undefined ? {} : { cursor }) });
  }

  /** At once where something is forbidden, and whenever that changes. */
  #tellOf(breaker: GpuReports["breaker"]): () => void {
    const tell = (): void => {
      const { forbidden } = breaker;
      this.#send({ type: "remedies", ...(forbidden === undefined ? {} : { forbidden }) });
    };
    tell();
    return breaker.onChange(tell);
  }

  #startHeartbeat(): { readonly done: Promise<void> } {
    const { clock, log } = this.#deps;
    const hear = (): void => void (this.#lastHeardMs = clock.monotonic());
    this.#socket.on("pong", hear);
    this.#socket.on("message", hear);
    hear();
    const run = async (): Promise<void> => {
      if (clock.monotonic() - this.#lastHeardMs > 3 * PING_EVERY_MS) this.#socket.terminate();
      else if (this.#socket.readyState === WebSocket.OPEN) this.#socket.ping();
    };
    const onError = (error: unknown): void => log.warn("a heartbeat failed", { error });
    return startTicker({ clock, everyMs: PING_EVERY_MS, run, onError }, this.#over.signal);
  }

  #send(frame: ToExecutor): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    if (this.#socket.bufferedAmount > MAX_BUFFERED_BYTES) {
      this.#deps.log.warn("a host does not read what it is sent; the link is closed");
      this.#socket.terminate();
      return;
    }
    this.#socket.send(JSON.stringify(frame));
  }
}

function parseFrame(data: unknown): ToAgent {
  try {
    return ToAgent.parse(JSON.parse(String(data)));
  } catch (cause) {
    throw new AppError("link-protocol", { message: "A frame is not one that this version knows.", cause });
  }
}
