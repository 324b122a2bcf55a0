/**
 * Tells the agent of this host's accelerators for as long as it listens: everything, or from where it stopped listening on;
 * then what lasts at once, and what only moves every now and then, each host at another time. Nothing is told unasked.
 */
import { isDeepStrictEqual } from "node:util";

import type { Clock } from "../../../common/clock.ts";
import {
  gpuDiff,
  type GpuHolder,
  type GpuReport,
  type GpuState,
  gpuStateOf,
  type HeldGpus,
  NO_GPUS,
} from "../../../protocol/gpu-report.ts";
import type { PodStatus } from "../../../protocol/pod.ts";
import { isOver } from "../../../protocol/pod.ts";
import type { GpuInventory } from "../inventory.ts";
import { withoutMoves } from "./calm.ts";

/** The pods that may hold a GPU, and word when one changes. */
export interface HoldingPods {
  reports(): readonly { readonly status: Pick<PodStatus, "podId" | "phase" | "gpus"> }[];
  onStatus(listener: () => void): () => void;
}

export interface GpuReporterDeps {
  readonly gpus: Pick<GpuInventory, "snapshot" | "onChange">;
  readonly pods: HoldingPods;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  /** Of this run of the executor, so that no cursor of another one is taken for ours. */
  readonly run: string;
}

/** What only moves is told this often, a quarter more or less. */
const MOVES_EVERY_MS = 15_000;
/** How often it is looked for what lasts and came without word. */
const LOOK_EVERY_MS = 2_000;
/** Hosts that come back together do not all tell everything at the same moment. */
const FIRST_WITHIN_MS = 500;

export class GpuReporter {
  readonly #deps: GpuReporterDeps;
  #told: HeldGpus | undefined;
  #number = 0;
  #listening = new AbortController();
  #wake: () => void = () => undefined;

  constructor(deps: GpuReporterDeps) {
    this.#deps = deps;
  }

  /**
   * Tells what is different since the report `from`, or everything, and goes on until `over` aborts or somebody else listens.
   * It never rejects unless `send` throws.
   */
  async follow(from: string | undefined, send: (report: GpuReport) => void, over: AbortSignal): Promise<void> {
    const { gpus, pods, clock, random } = this.#deps;
    this.#listening.abort();
    this.#listening = new AbortController();
    const signal = AbortSignal.any([over, this.#listening.signal]);
    if (from === undefined || from !== this.#told?.cursor) this.#told = undefined;
    const wake = (): void => this.#wake();
    const stops = [gpus.onChange(wake), pods.onStatus(wake)];
    try {
      await clock.sleep(random() * FIRST_WITHIN_MS, signal).catch(() => undefined);
      let movesAt = clock.monotonic();
      while (!signal.aborted) {
        const isDue = clock.monotonic() >= movesAt;
        if (isDue) movesAt = clock.monotonic() + MOVES_EVERY_MS * (0.75 + random() / 2);
        this.#tell(isDue, send);
        await this.#pause(Math.min(LOOK_EVERY_MS, movesAt - clock.monotonic()), signal);
      }
    } finally {
      for (const stop of stops) stop();
    }
  }

  /** When moves are due, also that nothing changed: it says how old the state is. */
  #tell(isDue: boolean, send: (report: GpuReport) => void): void {
    const { gpus, run } = this.#deps;
    const before = this.#told;
    const now = gpuStateOf(gpus.snapshot(), this.#holders());
    const state = before === undefined || isDue ? now : withoutMoves(before.state, now);
    if (before !== undefined && !isDue && isSame(before.state, state)) return;
    const cursor = `${run}-${++this.#number}`;
    const diff = gpuDiff(before?.state ?? NO_GPUS, state);
    this.#told = { cursor, state };
    send({ ...diff, cursor, ...(before === undefined ? {} : { after: before.cursor }) });
  }

  #holders(): GpuHolder[] {
    return this.#deps.pods
      .reports()
      .flatMap(({ status: { podId, phase, gpus } }) => (isOver(phase) ? [] : gpus.map((uuid) => ({ uuid, podId }))));
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    const woken = new AbortController();
    this.#wake = () => woken.abort();
    await this.#deps.clock.sleep(ms, AbortSignal.any([signal, woken.signal])).catch(() => undefined);
  }
}

/** But for the moment of the look. */
function isSame(one: GpuState, other: GpuState): boolean {
  return isDeepStrictEqual(one, { ...other, at: one.at });
}
