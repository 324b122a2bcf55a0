/**
 * What the executor says on one connection to the agent, and how it answers each frame.
 */
import { WebSocket } from "ws";

import type { Clock } from "../../common/clock.ts";
import type { Logger } from "../../common/logger.ts";
import type { ChallengeNews, ChallengeOrder } from "../../protocol/challenge/exchange.ts";
import { AppError, toAppError } from "../../protocol/errors.ts";
import type { GpuReport } from "../../protocol/gpu-report.ts";
import type { HostFacts } from "../../protocol/host.ts";
import type { PodId } from "../../protocol/ids.ts";
import { helloBytes, LOG_WINDOW_BYTES, type ToAgent, ToExecutor } from "../../protocol/link.ts";
import type { LogLine, LogQuery, PodEvent, PodStatus, WantedPod } from "../../protocol/pod.ts";
import { LINK_VERSION } from "../../protocol/version.ts";
import { batchesOf, LogPace, LogWindow } from "./log-flow.ts";
import type { Membership } from "./membership.ts";

/** This host's identity: an ed25519 key that never leaves it. */
export interface Identity {
  /** base64 of the raw 32 bytes. */
  readonly publicKey: string;
  sign(bytes: Uint8Array): Uint8Array;
}

interface Report {
  readonly status: PodStatus;
  readonly wanted: WantedPod;
}

/** What the link needs of the pods. */
export interface PodsPort {
  reports(): readonly Report[];
  onStatus(listener: (report: Report, events: readonly PodEvent[]) => void): () => void;
  want(wanted: WantedPod): Promise<void>;
  logs(podId: PodId, query: LogQuery, signal: AbortSignal): AsyncIterable<LogLine>;
}

/** The events that the agent has not acknowledged. */
export interface EventsPort {
  eventsAfter(cursor: number, limit: number): PodEvent[];
  dropEventsUpTo(cursor: number): void;
  numberEventsAfter(cursor: number): void;
}

/** What this host is, and word when it has changed. */
export interface FactsPort {
  readonly value: HostFacts;
  onChange(listener: () => void): () => void;
}

/** What there is to tell of accelerators. */
export interface GpuReportsPort {
  /** Tells from the report with this cursor on, or everything, until `over` aborts. */
  follow(from: string | undefined, send: (report: GpuReport) => void, over: AbortSignal): Promise<void>;
}

/** What validators ask this host to prove. */
export interface ChallengesPort {
  /** Never throws; what comes of it is told until `over` aborts, which also gives it up. */
  take(order: ChallengeOrder, tell: (news: ChallengeNews) => Promise<void>, over: AbortSignal): void;
}

export interface SessionDeps {
  readonly membership: Membership;
  /** The name that operators see. */
  readonly name: string;
  readonly identity: Identity;
  readonly pods: PodsPort;
  readonly events: EventsPort;
  readonly facts: FactsPort;
  readonly gpuReports: GpuReportsPort;
  readonly challenges: ChallengesPort;
  /** Takes the agent's word on whether GPUs may be treated. */
  readonly forbidRemedies: (why: string | undefined) => void;
  readonly clock: Clock;
  readonly log: Logger;
  /** Called once the agent has let this host in. */
  readonly onWelcome: () => Promise<void>;
}

const EVENTS_A_FRAME = 500;
const MAX_BUFFERED_BYTES = 16 * 2 ** 20;
/** Logs wait while so much is unsent. */
const SLOW_BUFFERED_BYTES = 2 ** 20;
const LOG_BATCH_BYTES = 32 * 2 ** 10;
/** Of all logs of the host together. */
const LOG_PACE = { burstBytes: 2 ** 20, bytesPerSecond: 2 ** 20 };

/** What is said on one connection. */
export class Session {
  readonly #socket: WebSocket;
  readonly #deps: SessionDeps;
  readonly #over: AbortSignal;
  readonly #streams = new Map<number, { readonly cancel: AbortController; readonly window: LogWindow }>();
  readonly #pace: LogPace;
  welcomed = false;

  constructor(socket: WebSocket, deps: SessionDeps, over: AbortSignal) {
    this.#socket = socket;
    this.#deps = deps;
    this.#over = over;
    this.#pace = new LogPace(LOG_PACE, deps);
  }

  async receive(text: string): Promise<void> {
    const frame = parseFrame(text);
    switch (frame.type) {
      case "challenge":
        return this.#hello(frame.nonce);
      case "refused":
        throw new AppError(frame.code === "join-token-invalid" ? frame.code : "link-refused", {
          message: frame.message,
        });
      case "welcome":
        return this.#welcome(frame.eventCursor);
      case "want":
        await Promise.all(frame.pods.map((wanted) => this.#deps.pods.want(wanted)));
        return;
      case "acknowledge":
        return this.#deps.events.dropEventsUpTo(frame.eventCursor);
      case "logs":
        void this.#streamLogs(frame.id, frame.podId, frame.query);
        return;
      case "read":
        this.#streams.get(frame.id)?.window.taken(frame.bytes);
        return;
      case "cancel":
        this.#streams.get(frame.id)?.cancel.abort();
        return;
      case "gpus-from":
        void this.#deps.gpuReports.follow(frame.cursor, (report) => this.#send({ type: "gpus", report }), this.#over);
        return;
      case "prove":
        return this.#deps.challenges.take(frame.order, (news) => this.#tellOfProof(news), this.#over);
      case "remedies":
        return this.#deps.forbidRemedies(frame.forbidden);
    }
  }

  #hello(nonce: string): void {
    const { fingerprint, joinSecret } = this.#deps.membership;
    const signature = Buffer.from(this.#deps.identity.sign(helloBytes(nonce, fingerprint))).toString("base64");
    this.#send({
      type: "hello",
      version: LINK_VERSION,
      name: this.#deps.name,
      publicKey: this.#deps.identity.publicKey,
      signature,
      ...(joinSecret === undefined ? {} : { joinSecret }),
    });
  }

  async #welcome(eventCursor: number): Promise<void> {
    const { pods, events, facts, log } = this.#deps;
    this.welcomed = true;
    log.info("linked to the agent", { url: this.#deps.membership.url });
    const stop = pods.onStatus((report, newEvents) => {
      this.#send({ type: "statuses", complete: false, pods: [report] });
      if (newEvents.length > 0) this.#send({ type: "events", events: [...newEvents] });
    });
    const sendFacts = (): void => this.#send({ type: "facts", facts: facts.value });
    const stopFacts = facts.onChange(sendFacts);
    this.#over.addEventListener("abort", stop);
    this.#over.addEventListener("abort", stopFacts);
    sendFacts();
    // The wishes one by one, since together they could be larger than a frame may be.
    const reports = pods.reports();
    for (const report of reports) this.#send({ type: "statuses", complete: false, pods: [report] });
    this.#send({ type: "statuses", complete: true, pods: reports.map(({ status }) => ({ status })) });
    events.numberEventsAfter(eventCursor);
    for (let cursor = eventCursor; ;) {
      const batch = events.eventsAfter(cursor, EVENTS_A_FRAME);
      const last = batch.at(-1);
      if (last === undefined) break;
      this.#send({ type: "events", events: batch });
      cursor = last.cursor;
    }
    await this.#deps.onWelcome().catch((error: unknown) => log.warn("the membership cannot be saved", { error }));
  }

  async #streamLogs(id: number, podId: PodId, query: LogQuery): Promise<void> {
    const [cancel, window] = [new AbortController(), new LogWindow(LOG_WINDOW_BYTES)];
    this.#streams.set(id, { cancel, window });
    const signal = AbortSignal.any([cancel.signal, this.#over]);
    try {
      const lines = this.#deps.pods.logs(podId, query, signal);
      for await (const batch of batchesOf(lines, LOG_BATCH_BYTES)) {
        this.#send({ type: "item", id, lines: [...batch.lines] });
        await window.sent(batch.bytes, signal);
        await this.#pace.spend(batch.bytes, signal);
        await this.#drained(signal);
      }
      this.#send({ type: "done", id });
    } catch (error) {
      if (signal.aborted) return;
      const { code, message } = toAppError(error);
      this.#send({ type: "failed", id, reason: { code, message } });
    } finally {
      this.#streams.delete(id);
    }
  }

  /** Answers are large: one at a time waits to be sent. */
  async #tellOfProof(news: ChallengeNews): Promise<void> {
    this.#send({ type: "proof", news });
    await this.#drained(this.#over).catch(() => undefined);
  }

  /** A slow link slows the reading of logs down, not the memory up. */
  async #drained(signal: AbortSignal): Promise<void> {
    while (this.#socket.bufferedAmount > SLOW_BUFFERED_BYTES) await this.#deps.clock.sleep(20, signal);
  }

  #send(frame: ToAgent): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    if (this.#socket.bufferedAmount > MAX_BUFFERED_BYTES) {
      this.#socket.terminate();
      return;
    }
    this.#socket.send(JSON.stringify(frame));
  }
}

function parseFrame(text: string): ToExecutor {
  try {
    return ToExecutor.parse(JSON.parse(text));
  } catch (cause) {
    throw new AppError("link-protocol", { message: "The agent sent a frame that this version does not know.", cause });
  }
}
