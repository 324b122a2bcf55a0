/**
 * A renter at work: a process in the pod that counts, and the SSH session through which its numbers come. It stops when
 * the process, the session or the pod does, and it cannot be taken up again.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

import { until } from "./wait.ts";

const EVERY_SECONDS = 0.25;
const COUNT = `i=0; while :; do i=$((i+1)); echo $i; /.lium/k/bin/busybox sleep ${EVERY_SECONDS}; done`;
const FIRST_MS = 20_000;
/** A number must have come by then; the machine that tests run on may be busy. */
const SILENCE_MS = 10_000;

export class Counter {
  readonly name: string;
  readonly #session: ChildProcess;
  #last = 0;
  #lastAtMs = performance.now();
  #longestGapMs = 0;
  #broken: string | undefined;

  private constructor(name: string, session: ChildProcess) {
    this.name = name;
    this.#session = session;
  }

  /** `sshArgs` for the program ssh, without a command. Resolves with the first number. */
  static async start(name: string, sshArgs: readonly string[]): Promise<Counter> {
    const options = ["-o", "ServerAliveInterval=0", "-o", "ConnectTimeout=15"];
    const session = spawn("ssh", [...options, ...sshArgs, COUNT], { stdio: ["ignore", "pipe", "pipe"] });
    const counter = new Counter(name, session);
    let complaint = "";
    session.stderr.on("data", (chunk: Buffer) => (complaint += chunk.toString("utf8")));
    createInterface(session.stdout).on("line", (line) => counter.#take(Number(line)));
    session.once("exit", (code) => (counter.#broken ??= `its session ended with ${code}: ${complaint.trim()}`));
    await until(`the first number of ${name}`, FIRST_MS, () => {
      if (counter.#broken !== undefined) throw new Error(counter.#broken);
      return counter.#last > 0 ? true : undefined;
    });
    counter.#longestGapMs = 0;
    return counter;
  }

  get count(): number {
    return this.#last;
  }

  /** The longest time without a number, in milliseconds. */
  get longestGapMs(): number {
    return Math.max(this.#longestGapMs, performance.now() - this.#lastAtMs);
  }

  /** Throws when the counter has stopped, or does not go on. */
  async neverStopped({ silenceMs = SILENCE_MS }: { readonly silenceMs?: number } = {}): Promise<void> {
    const before = this.#last;
    await until(`${this.name} to go on after ${before}`, silenceMs, () => {
      if (this.#broken !== undefined) throw new Error(this.#broken);
      return this.#last > before ? true : undefined;
    });
    const gapMs = this.longestGapMs;
    if (gapMs > silenceMs) throw new Error(`${this.name} stood still for ${Math.round(gapMs)} ms`);
  }

  /** The renter logs out. */
  async stop(): Promise<void> {
    this.#broken ??= "it was stopped";
    if (this.#session.exitCode !== null || this.#session.signalCode !== null) return;
    const ended = once(this.#session, "exit");
    this.#session.kill("SIGKILL");
    await ended;
  }

  #take(number: number): void {
    if (number !== this.#last + 1) this.#broken ??= `after ${this.#last} came ${number}`;
    const now = performance.now();
    this.#longestGapMs = Math.max(this.#longestGapMs, now - this.#lastAtMs);
    this.#last = number;
    this.#lastAtMs = now;
  }
}
