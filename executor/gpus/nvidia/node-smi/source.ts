/**
 * NVIDIA's devices through the package node-nvidia-smi, the last that is asked: nvidia-smi's XML, in a child of its own.
 */
import { extname } from "node:path";
import { fileURLToPath } from "node:url";

import type { SourceState } from "../../../../protocol/accelerator.ts";
import { type WorkerParts, WorkerProcess } from "../../children/worker-process.ts";
import { soundReadings } from "../../sound.ts";
import { type Depth, type GpuSource, nothingRead, type SourceReading } from "../../source.ts";
import { readLog } from "../xml/log.ts";

export interface NodeSmiOptions {
  /** Where nvidia-smi is looked for, as in PATH. */
  readonly path: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

const NAME = "node-nvidia-smi";
const TIMEOUT_MS = 20_000;
const RESTART = { firstDelayMs: 15_000, maxDelayMs: 120_000 };

export class NodeSmiSource implements GpuSource {
  readonly #worker: WorkerProcess;
  readonly #timeoutMs: number;
  #last: SourceReading = nothingRead({ name: NAME, state: "absent", detail: "It was not asked yet." });

  constructor({ path, env = {}, timeoutMs = TIMEOUT_MS }: NodeSmiOptions, parts: WorkerParts) {
    this.#timeoutMs = timeoutMs;
    const script = fileURLToPath(new URL(`./child${extname(import.meta.url)}`, import.meta.url));
    const all = { ...env, PATH: path, LC_ALL: "C" };
    this.#worker = new WorkerProcess({ name: NAME, script, args: [], env: all, restart: RESTART }, parts);
  }

  /** A quick look is the last full one. The child does not outlive its answer. */
  async read(depth: Depth, signal: AbortSignal): Promise<SourceReading> {
    if (depth === "quick") return this.#last;
    const answer = await this.#worker.request({}, this.#timeoutMs, signal);
    await this.#worker.restart();
    this.#last = answer.ok ? readingsOf(answer.value) : nothingRead(stateOf(answer.why, answer.detail));
    return this.#last;
  }

  close(): Promise<void> {
    return this.#worker.close();
  }
}

/** An empty output is success to the package, with nothing in it. Instances have no UUIDs here, so they cannot be rented. */
function readingsOf(value: unknown): SourceReading {
  const log = readLog(value);
  if (log === undefined)
    return nothingRead({ name: NAME, state: "failed", detail: "nvidia-smi printed nothing of use." });
  const readings = soundReadings(log.readings.map((reading) => ({ ...reading, partitions: [], sources: [NAME] })));
  return { ...nothingRead({ name: NAME, state: "ok" }), readings };
}

function stateOf(why: string, detail: string): SourceState {
  const isAbsent = /not found|couldn't communicate|No devices were found|status 127/i.test(detail);
  const state = why === "timeout" ? "probe-timeout" : isAbsent ? "absent" : "failed";
  return { name: NAME, state, detail: detail.slice(0, 300) };
}
