/**
 * A child process that does what may hang or crash. Each request has a deadline; a child that misses one is killed. The
 * next is started at once, and after several failures later and later. Nothing it does reaches its parent but as an answer in words.
 */
import { type ChildProcess, fork } from "node:child_process";

import { type Backoff, backoffMs } from "../../../common/backoff.ts";
import type { Clock } from "../../../common/clock.ts";
import { type DoomedChildren, survivorText } from "./doomed.ts";
import { WorkerMessage } from "./messages.ts";

export interface WorkerOptions {
  /** What it is called in messages. */
  readonly name: string;
  readonly script: string;
  readonly args: readonly string[];
  /** A program and its arguments that the child is started by, such as one that takes it into another network. */
  readonly within?: readonly string[];
  /** The whole environment of the child. */
  readonly env: Readonly<Record<string, string>>;
  /** Of the second failure in a row and those after it. */
  readonly restart: Backoff;
}

export interface WorkerParts {
  readonly doomed: DoomedChildren;
  readonly clock: Clock;
  readonly random: () => number;
}

/** `crashed`: it ended by itself; `refused`: it lives, and said why not. */
export type WorkerAnswer =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly why: "refused" | "crashed" | "timeout" | "resting"; readonly detail: string };

/** A few kilobytes at a time pass through it. */
const SMALL: readonly string[] = ["--max-semi-space-size=2", "--max-old-space-size=96"];

interface Running {
  readonly child: ChildProcess;
  readonly waiting: Map<number, (answer: WorkerAnswer) => void>;
}

export class WorkerProcess {
  readonly #options: WorkerOptions;
  readonly #parts: WorkerParts;
  readonly #listeners = new Set<(event: unknown) => void>();
  #running: Running | undefined;
  #lastId = 0;
  #failures = 0;
  #notBefore = 0;
  #lastFailure = "";

  constructor(options: WorkerOptions, parts: WorkerParts) {
    this.#options = options;
    this.#parts = parts;
  }

  /** The child's, while one runs. */
  get pid(): number | undefined {
    return this.#running?.child.pid;
  }

  /** Told what the child says unasked, until the returned function is called. */
  onEvent(listener: (event: unknown) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Starts the child if there is none. Rejects only with the signal's reason. */
  async request(body: unknown, timeoutMs: number, signal: AbortSignal): Promise<WorkerAnswer> {
    signal.throwIfAborted();
    const { survivor } = this.#parts.doomed;
    if (survivor !== undefined) return { ok: false, why: "timeout", detail: survivorText(survivor) };
    if (this.#running === undefined && this.#parts.clock.monotonic() < this.#notBefore) {
      return { ok: false, why: "resting", detail: this.#lastFailure };
    }
    const running = (this.#running ??= this.#start());
    const answer = await this.#ask(running, body, AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]));
    if (answer === undefined) {
      signal.throwIfAborted();
      const detail = `${this.#options.name} did not answer within ${timeoutMs} ms.`;
      await this.#giveUp(running, detail);
      return { ok: false, why: "timeout", detail };
    }
    if (answer.ok) this.#failures = 0;
    return answer;
  }

  /** Ends the child, so that the next request starts a fresh one at once. */
  async restart(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    if (running !== undefined) await this.#end(running, `${this.#options.name} is started anew.`);
  }

  async close(): Promise<void> {
    this.#listeners.clear();
    await this.restart();
  }

  #start(): Running {
    const { script, args, env, within = [] } = this.#options;
    const [program = "", ...starting] = [...within, process.execPath, ...SMALL];
    const child = fork(script, args, {
      detached: true,
      execPath: program,
      execArgv: starting,
      env: { ...env },
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    const running: Running = { child, waiting: new Map() };
    let complaint = "";
    child.stderr?.on("data", (chunk: Buffer) => (complaint = (complaint + chunk.toString("utf8")).slice(-500)));
    child.on("message", (message) => this.#hear(running, message));
    child.on("error", (error) => this.#ended(running, error.message));
    child.on("exit", (code, exitSignal) => {
      const last = complaint.trim().split("\n").at(-1) ?? "";
      this.#ended(running, `${this.#options.name} ended with ${exitSignal ?? `status ${code}`}. ${last}`.trim());
    });
    return running;
  }

  #ask({ child, waiting }: Running, body: unknown, stop: AbortSignal): Promise<WorkerAnswer | undefined> {
    const id = ++this.#lastId;
    return new Promise((resolve) => {
      const settle = (answer: WorkerAnswer | undefined): void => {
        waiting.delete(id);
        stop.removeEventListener("abort", giveUp);
        resolve(answer);
      };
      const giveUp = (): void => settle(undefined);
      stop.addEventListener("abort", giveUp, { once: true });
      waiting.set(id, settle);
      // A child that is gone tells so by its exit.
      child.send({ id, body }, () => undefined);
    });
  }

  #hear(running: Running, message: unknown): void {
    const parsed = WorkerMessage.safeParse(message);
    if (!parsed.success) return;
    if ("event" in parsed.data) {
      for (const listener of this.#listeners) listener(parsed.data.event);
      return;
    }
    const settle = running.waiting.get(parsed.data.id);
    if ("error" in parsed.data) settle?.({ ok: false, why: "refused", detail: parsed.data.error });
    else settle?.({ ok: true, value: parsed.data.value });
  }

  #ended(running: Running, detail: string): void {
    if (this.#running === running) {
      this.#running = undefined;
      this.#rest(detail);
    }
    for (const settle of running.waiting.values()) settle({ ok: false, why: "crashed", detail });
  }

  async #giveUp(running: Running, detail: string): Promise<void> {
    if (this.#running !== running) return;
    this.#running = undefined;
    this.#rest(detail);
    await this.#end(running, detail);
  }

  #rest(detail: string): void {
    this.#failures += 1;
    this.#lastFailure = detail;
    const again = this.#failures - 1;
    const wait = again === 0 ? 0 : backoffMs(again, this.#options.restart, this.#parts.random);
    this.#notBefore = this.#parts.clock.monotonic() + wait;
  }

  async #end({ child, waiting }: Running, detail: string): Promise<void> {
    for (const settle of waiting.values()) settle({ ok: false, why: "crashed", detail });
    if (child.connected) child.disconnect();
    child.stderr?.destroy();
    child.unref();
    if (child.pid !== undefined) await this.#parts.doomed.end({ pid: child.pid, what: this.#options.name });
  }
}
