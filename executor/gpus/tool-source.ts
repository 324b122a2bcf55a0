/**
 * A vendor's tool that adds to what the kernel's files say. It is slow and heavy, so it is asked seldom, and what it said last
 * stands meanwhile; what moves by the second is not its to tell.
 */
import { type Backoff, backoffMs } from "../../common/backoff.ts";
import type { Clock } from "../../common/clock.ts";
import type { AcceleratorReading } from "../../protocol/accelerator.ts";
import type { DoomedChildren } from "./children/doomed.ts";
import { runTool } from "./children/tool.ts";
import { soundReadings } from "./sound.ts";
import { type Depth, type GpuSource, nothingRead, type PairReading, type SourceReading } from "./source.ts";

export interface ToolAnswers {
  readonly readings: readonly AcceleratorReading[];
  readonly pairs?: readonly PairReading[];
}

export interface ToolDialect {
  /** What to run; `outputs` are those of the runs before, for tools whose arguments depend on their version. */
  readonly next: (outputs: readonly string[]) => readonly string[] | undefined;
  /** Undefined where the outputs make no sense. */
  readonly parse: (outputs: readonly string[]) => ToolAnswers | undefined;
}

export interface ToolOptions {
  readonly name: string;
  readonly file: string;
  readonly dialect: ToolDialect;
  readonly env?: Readonly<Record<string, string>>;
}

const EVERY_MS = 5 * 60_000;
/** They are programs in Python, or set up a driver's library anew. */
const TIMEOUT_MS = 15_000;
const RETRY: Backoff = { firstDelayMs: 60_000, maxDelayMs: 15 * 60_000 };

export class ToolSource implements GpuSource {
  readonly #options: ToolOptions;
  readonly #doomed: DoomedChildren;
  readonly #clock: Clock;
  readonly #random: () => number;
  #last: SourceReading;
  #failures = 0;
  #notBefore = -Infinity;

  constructor(
    options: ToolOptions,
    parts: { readonly doomed: DoomedChildren; readonly clock: Clock; readonly random: () => number },
  ) {
    this.#options = options;
    this.#doomed = parts.doomed;
    this.#clock = parts.clock;
    this.#random = parts.random;
    this.#last = nothingRead({ name: options.name, state: "absent", detail: "It was not asked yet." });
  }

  async read(depth: Depth, signal: AbortSignal): Promise<SourceReading> {
    if (depth === "quick" || this.#clock.monotonic() < this.#notBefore) return this.#last;
    const begun = this.#clock.monotonic();
    const read = await this.#ask(signal);
    const now = this.#clock.monotonic();
    const isOk = read.state.state === "ok";
    this.#failures = isOk ? 0 : this.#failures + 1;
    this.#notBefore = now + (isOk ? EVERY_MS : backoffMs(this.#failures, RETRY, this.#random));
    this.#last = { ...read, state: { ...read.state, tookMs: now - begun } };
    return this.#last;
  }

  async close(): Promise<void> {}

  /** These tools print good data and then fail, so only what they printed counts. */
  async #ask(signal: AbortSignal): Promise<SourceReading> {
    const { name, file, dialect, env } = this.#options;
    const outputs: string[] = [];
    for (let args = dialect.next(outputs); args !== undefined; args = dialect.next(outputs)) {
      const outcome = await runTool(
        { file, args, timeoutMs: TIMEOUT_MS, ...(env === undefined ? {} : { env }) },
        this.#doomed,
        signal,
      );
      if (!outcome.ok) return nothingRead({ name, state: outcome.state, detail: outcome.detail });
      outputs.push(outcome.stdout);
    }
    const answers = dialect.parse(outputs);
    if (answers === undefined) return nothingRead({ name, state: "failed", detail: `${name} printed nothing of use.` });
    return {
      ...nothingRead({ name, state: "ok" }),
      readings: soundReadings(answers.readings),
      pairs: answers.pairs ?? [],
    };
  }
}

/** The first of several that answers, as an old and a new tool of one vendor. */
export function firstOf(sources: readonly [GpuSource, ...GpuSource[]]): GpuSource {
  return {
    read: async (depth, signal) => {
      const before: SourceReading["state"][] = [];
      let read = await sources[0].read(depth, signal);
      for (const source of sources.slice(1)) {
        if (read.state.state === "ok" || read.state.state === "probe-timeout") break;
        before.push(read.state);
        read = await source.read(depth, signal);
      }
      return { ...read, before };
    },
    close: async () => {
      for (const source of sources) await source.close();
    },
  };
}
