/**
 * How quickly a pod answers a small request: one connection, one request at a time, five milliseconds apart.
 * The instants are kept, so that times can be told apart by what happened meanwhile.
 */
import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";

import type { Latency } from "./report.ts";

export interface Sample {
  readonly atMs: number;
  readonly tookMs: number;
}

const REQUEST = Buffer.alloc(32, "x");
const APART_MS = 5;
const ANSWER_MS = 10_000;

export class Pinger {
  readonly samples: Sample[] = [];
  readonly #socket: Socket;
  readonly #stopped = new AbortController();
  #running: Promise<void> | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Connects to an echo server and begins. */
  static async start(host: string, port: number): Promise<Pinger> {
    const socket = createConnection({ host, port, noDelay: true });
    await once(socket, "connect", { signal: AbortSignal.timeout(ANSWER_MS) });
    const pinger = new Pinger(socket);
    pinger.#running = pinger.#run();
    return pinger;
  }

  /** Rejects when a request was not answered within ten seconds. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
    this.#socket.destroy();
  }

  /** Of the samples between two instants of performance.now(). */
  between(during: string, fromMs: number, toMs: number): Latency {
    return summarise(
      during,
      this.samples.filter(({ atMs }) => atMs >= fromMs && atMs < toMs),
    );
  }

  async #run(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      const atMs = performance.now();
      this.#socket.write(REQUEST);
      for (let bytes = 0; bytes < REQUEST.length;) {
        const [chunk] = (await once(this.#socket, "data", { signal: AbortSignal.timeout(ANSWER_MS) })) as [Buffer];
        bytes += chunk.length;
      }
      this.samples.push({ atMs, tookMs: performance.now() - atMs });
      await pause(APART_MS, undefined, { signal: this.#stopped.signal }).catch(() => undefined);
    }
  }
}

export function summarise(during: string, samples: readonly Sample[]): Latency {
  const sorted = samples.map(({ tookMs }) => tookMs).toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.ceil(sorted.length * share) - 1] ?? Number.NaN;
  return { during, samples: sorted.length, p50Ms: at(0.5), p95Ms: at(0.95) };
}
