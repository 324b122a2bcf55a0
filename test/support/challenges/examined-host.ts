/**
 * A host that is examined: its ports, pods and windows are played, and what it answers must be what the words allow.
 */
import type { Examining } from "../../../executor/challenges/desk.ts";
import { type ExamineDeps, examineHost } from "../../../executor/challenges/host/examine.ts";
import { WindowRequest } from "../../../executor/challenges/host/words.ts";
import { portKey } from "../../../executor/pods/claims.ts";
import { HostChallenge, HostResult } from "../../../protocol/challenge/host-messages.ts";
import { digestOf } from "../../../protocol/challenge/messages.ts";
import type { PodId } from "../../../protocol/ids.ts";
import type { PodStatus } from "../../../protocol/pod.ts";
import { FakeClock } from "../fake-clock.ts";
import { agentKey, hostKey, someDigest } from "./honest.ts";

type Opened = Parameters<ExamineDeps["withWindow"]>[0];

export class ExaminedHost {
  readonly clock = new FakeClock();
  readonly validator = new AbortController();
  /** Of `portKey`, by the host's own numbers. */
  readonly busyPorts = new Set<string>();
  readonly answers: HostResult[] = [];
  /** Every window that was opened, the last one last. */
  readonly opened: Opened[] = [];
  /** How many of them are open. */
  windows = 0;
  /** How many were when the answer was given. */
  windowsAtAnswer: number | undefined;
  livePods: number | undefined = 0;
  /** Why no answer can be told. */
  linkLost: Error | undefined;
  /** How many listen to what becomes of pods. */
  get listeners(): number {
    return this.#listeners.size;
  }

  readonly #statuses = new Map<PodId, PodStatus>();
  readonly #listeners = new Set<() => void>();
  readonly #over: Partial<ExamineDeps>;

  constructor(over: Partial<ExamineDeps> = {}) {
    this.#over = over;
  }

  /** Settles when the host has nothing open for the challenge any longer. */
  examine(task: object, podId?: PodId): { readonly challenge: HostChallenge; readonly over: Promise<void> } {
    const challenge = HostChallenge.parse({
      version: 1,
      nonce: someDigest("n"),
      validator: agentKey.ss58,
      agent: agentKey.ss58,
      hostKey: hostKey.publicKey,
      task,
      issuedAt: "2026-01-01T00:00:00.000Z",
      answerWithinMs: 60_000,
    });
    const examining: Examining = {
      id: digestOf(challenge),
      challenge,
      podId,
      answer: async (result) => this.#hear(result),
      signal: this.validator.signal,
    };
    return { challenge, over: examineHost(examining, this.#deps()) };
  }

  become(status: PodStatus): void {
    this.#statuses.set(status.podId, status);
    for (const listener of this.#listeners) listener();
  }

  #hear(result: HostResult): void {
    if (this.linkLost !== undefined) throw this.linkLost;
    if (this.answers.length > 0) throw new Error("A challenge is answered once.");
    this.answers.push(HostResult.parse(result));
    this.windowsAtAnswer = this.windows;
  }

  #deps(): ExamineDeps {
    return {
      identity: hostKey,
      inventory: notExpected,
      measureDisk: notExpected,
      withWindow: (opened, work, signal) => this.#withWindow(opened, work, signal),
      ranges: [{ internal: 40_000, external: 40_000, count: 100 }],
      isPortFree: async (port, protocol) => !this.busyPorts.has(portKey(port, protocol)),
      livePods: () => this.livePods,
      podStatus: (podId) => this.#statuses.get(podId),
      onPodStatus: (listener) => {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
      },
      clock: this.clock,
      ...this.#over,
    };
  }

  async #withWindow(opened: Opened, work: () => Promise<void>, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    WindowRequest.parse(opened.request);
    this.opened.push(opened);
    this.windows += 1;
    try {
      await work();
    } finally {
      this.windows -= 1;
    }
  }
}

async function notExpected(): Promise<never> {
  throw new Error("This was not to be asked.");
}
