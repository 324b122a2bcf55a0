/**
 * A validator's socket: what it says goes into the machine of session-state.ts, what comes out is done. It holds no
 * decision of its own but two clocks: one until the sign-in, one for the whole session.
 */
import { WebSocket } from "ws";

import type { Clock } from "../../common/clock.ts";
import type { Logger } from "../../common/logger.ts";
import { startTicker } from "../../common/ticker.ts";
import { AppError, toAppError } from "../../protocol/errors.ts";
import type { Hotkey } from "../../protocol/ids.ts";
import { type ExecutorIdentity, failed, writeReply } from "../../protocol/lium/replies.ts";
import { type AuthenticateRequest, type KeyRequest, readFrame } from "../../protocol/lium/requests.ts";
import type { KeyDesk } from "./desk.ts";
import type { Door, Visit } from "./door.ts";
import {
  NEW_SESSION,
  SESSION_CAPS,
  type SessionAction,
  type SessionEvent,
  type SessionState,
  step,
} from "./session-state.ts";
import { checkSignIn, type SignInDeps } from "./sign-in.ts";

export interface SessionDeps {
  /** Who the path says it is. */
  readonly from: string;
  readonly visit: Visit;
  readonly door: Pick<Door, "mayAsk">;
  readonly desk: Pick<KeyDesk, "answer" | "withdraw">;
  readonly executorsFor: (validator: Hotkey) => readonly ExecutorIdentity[];
  readonly signIn: SignInDeps;
  readonly clock: Clock;
  readonly log: Logger;
}

const SIGN_IN_MS = 10_000;
/** Longer than any job of a validator, whose socket stays open and idle all the while. */
const SESSION_MS = 1_200_000;
const PING_EVERY_MS = 20_000;
const SILENT_MS = 60_000;
/** How long the other end may take to agree to the end. */
const CLOSE_MS = 2_000;
const UNSUPPORTED_DATA = 1003;

export class LiumSession {
  readonly #socket: WebSocket;
  readonly #deps: SessionDeps;
  readonly #gone = new AbortController();
  readonly #signedIn = new AbortController();
  #state: SessionState = NEW_SESSION;
  #validator: Hotkey | undefined;
  #lastHeardMs: number;

  constructor(socket: WebSocket, deps: SessionDeps) {
    this.#socket = socket;
    this.#deps = deps;
    this.#lastHeardMs = deps.clock.monotonic();
  }

  /** From the first frame to the end of the socket. Never rejects. */
  async run(): Promise<void> {
    const { clock, visit, log } = this.#deps;
    const socket = this.#socket;
    const hear = (): void => void (this.#lastHeardMs = clock.monotonic());
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    socket.once("close", () => resolve());
    socket.on("ping", hear);
    socket.on("pong", hear);
    socket.on("message", (data, isBinary) => {
      hear();
      if (isBinary) return this.#close(UNSUPPORTED_DATA, "text frames only");
      const bytes = Buffer.isBuffer(data) ? data : Buffer.alloc(0);
      this.#take({ type: "frame", bytes: bytes.length, frame: readFrame(bytes.toString()) });
    });
    this.#limitTime(SIGN_IN_MS, this.#signedIn.signal);
    this.#limitTime(SESSION_MS, this.#gone.signal);
    const onError = (error: unknown): void => log.debug("a ping failed", { error });
    const pings = startTicker(
      { clock, everyMs: PING_EVERY_MS, run: async () => this.#lookAlive(), onError },
      this.#gone.signal,
    );
    await closed;
    this.#gone.abort();
    this.#signedIn.abort();
    visit.leave();
    this.#take({ type: "gone" });
    await pings.done;
  }

  terminate(): void {
    this.#socket.terminate();
  }

  #take(event: SessionEvent): void {
    const { state, actions } = step(this.#state, event, { ...SESSION_CAPS, hotkey: this.#deps.signIn.hotkey });
    this.#state = state;
    for (const action of actions) this.#do(action);
  }

  #do(action: SessionAction): void {
    switch (action.do) {
      case "sign-in":
        return void this.#signIn(action.request);
      case "serve":
        return void this.#serve(action.id, action.request);
      case "withdraw":
        return void this.#deps.desk.withdraw(this.#whoSignedIn(), action.request);
      case "send":
        return this.#send(writeReply(action.reply));
      case "close":
        return this.#close(action.code, action.reason);
    }
  }

  async #signIn(request: AuthenticateRequest): Promise<void> {
    const { from, visit, signIn, executorsFor, log } = this.#deps;
    try {
      const validator = await checkSignIn(request, from, signIn);
      if (!this.#gone.signal.aborted && !visit.signIn(validator)) throw new AppError("rate-limited");
      this.#validator = validator;
      this.#signedIn.abort();
      log.info("a validator signed in", { validator });
      const executors = executorsFor(validator).map(({ uuid, address, port }) => ({ uuid, address, port }));
      this.#take({ type: "signed-in", executors });
    } catch (error) {
      const { code } = toAppError(error);
      log.info("a validator was refused", { from, code });
      this.#take({ type: "refused", code });
    }
  }

  async #serve(id: number, request: KeyRequest): Promise<void> {
    const { desk, door } = this.#deps;
    const validator = this.#whoSignedIn();
    const mayAsk = request.message_type === "SSHPubKeyRemoveRequest" || door.mayAsk(validator);
    const answer = mayAsk ? await desk.answer(validator, request) : { reply: failed("rate-limited") };
    this.#take({ type: "answered", id, request, answer });
  }

  #whoSignedIn(): Hotkey {
    if (this.#validator === undefined) throw new AppError("internal", { message: "Nobody has signed in." });
    return this.#validator;
  }

  #send(text: string): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(text);
  }

  #close(code: number, reason: string): void {
    this.#socket.close(code, reason);
    this.#deps.clock.sleep(CLOSE_MS, this.#gone.signal).then(
      () => this.#socket.terminate(),
      () => undefined,
    );
  }

  #limitTime(ms: number, until: AbortSignal): void {
    this.#deps.clock.sleep(ms, until).then(
      () => this.#take({ type: "too-late" }),
      () => undefined,
    );
  }

  #lookAlive(): void {
    if (this.#deps.clock.monotonic() - this.#lastHeardMs > SILENT_MS) this.#socket.terminate();
    else if (this.#socket.readyState === WebSocket.OPEN) this.#socket.ping();
  }
}
