/**
 * NVIDIA's devices from the best source that answers: the library, then nvidia-smi, then node-nvidia-smi.
 * Where the driver hangs, no further program is sent after it.
 */
import type { GpuSource, Depth, SourceReading } from "../source.ts";

/** The library's, which is told when it must look anew. */
export interface RestartableSource extends GpuSource {
  restart(): Promise<void>;
}

/** What the bus and the kernel show: when that changes, the library's own picture is old. */
export interface Expected {
  readonly module: string | undefined;
  readonly addresses: readonly string[];
}

export class NvidiaSource implements GpuSource {
  readonly #nvml: RestartableSource;
  readonly #others: readonly GpuSource[];
  #expected: string | undefined;

  constructor(nvml: RestartableSource, others: readonly GpuSource[]) {
    this.#nvml = nvml;
    this.#others = others;
  }

  /** Starts the library anew where the driver or the devices changed since the last time. */
  async expect(expected: Expected): Promise<void> {
    const text = JSON.stringify(expected);
    const hasChanged = this.#expected !== undefined && this.#expected !== text;
    this.#expected = text;
    if (hasChanged) await this.#nvml.restart();
  }

  /** Of several that failed the one is given that hangs, else the first. */
  async read(depth: Depth, signal: AbortSignal): Promise<SourceReading> {
    const tried: SourceReading[] = [];
    for (const source of [this.#nvml, ...this.#others]) {
      const read = await source.read(depth, signal);
      const before = tried.map(({ state }) => state);
      if (read.state.state === "ok") return { ...read, before };
      tried.push(read);
      if (read.state.state === "probe-timeout") return { ...read, before };
    }
    const [first, ...rest] = tried;
    if (first === undefined) throw new TypeError("There is always one source.");
    const telling = tried.find(({ state }) => state.state === "failed") ?? first;
    return { ...telling, before: [first, ...rest].filter((one) => one !== telling).map(({ state }) => state) };
  }

  async close(): Promise<void> {
    for (const source of [this.#nvml, ...this.#others]) await source.close();
  }
}
