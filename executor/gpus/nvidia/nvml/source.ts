/**
 * NVIDIA's devices through its library, in a worker of its own. One device that hangs or crashes the worker is left out
 * with its reason; the others are answered for within a second.
 */
import { extname } from "node:path";
import { fileURLToPath } from "node:url";

import { z } from "zod";

import type { AcceleratorReading, HealthReason, SourceState } from "../../../../protocol/accelerator.ts";
import { type WorkerAnswer, type WorkerParts, WorkerProcess } from "../../children/worker-process.ts";
import { type Depth, type GpuSource, nothingRead, type SourceReading } from "../../source.ts";
import { NvmlDevices, NvmlEvent, NvmlOpened, type NvmlRead, NvmlReads, type NvmlRequest } from "./words.ts";

export interface NvmlOptions {
  /** Tried in this order. */
  readonly libraries: readonly string[];
  /** Further environment of the worker. */
  readonly env?: Readonly<Record<string, string>>;
}

const NAME = "nvml";
/** Without persistence mode the driver sets up each device anew. */
const OPEN_MS = 20_000;
/** The worker itself answers sooner, also for a device that hangs: after this it is the worker that does. */
const ANSWER_MS = 5_000;
/** How long a device may be late before it counts as hung, and not as slow. */
const HUNG_MS = 5_000;
const RESTART = { firstDelayMs: 1_000, maxDelayMs: 60_000 };
/** A device that crashed the worker is asked again after this. */
const CRASHED_REST_MS = 10 * 60_000;
const DETAIL_CHARS = 300;

type Failure = Extract<WorkerAnswer, { ok: false }>;

export class NvmlSource implements GpuSource {
  readonly #libraries: readonly string[];
  readonly #worker: WorkerProcess;
  readonly #clock: WorkerParts["clock"];
  readonly #last = new Map<number, AcceleratorReading>();
  /** By index, until when it is left alone. */
  readonly #crashing = new Map<number, number>();
  #openPid: number | undefined;
  #count = 0;

  constructor({ libraries, env = {} }: NvmlOptions, parts: WorkerParts) {
    this.#libraries = libraries;
    this.#clock = parts.clock;
    const script = fileURLToPath(new URL(`./worker${extname(import.meta.url)}`, import.meta.url));
    this.#worker = new WorkerProcess({ name: NAME, script, args: [], env, restart: RESTART }, parts);
  }

  get workerPid(): number | undefined {
    return this.#worker.pid;
  }

  onEvent(listener: (event: NvmlEvent) => void): () => void {
    return this.#worker.onEvent((event) => {
      const parsed = NvmlEvent.safeParse(event);
      if (parsed.success) listener(parsed.data);
    });
  }

  async read(depth: Depth, signal: AbortSignal): Promise<SourceReading> {
    const begun = this.#clock.monotonic();
    const refused = await this.#open(depth, signal);
    if (refused !== undefined) return nothingRead(refused);
    const answers = await this.#readAll(depth, signal);
    const readings = [...answers].flatMap(([index, answer]) => this.#readingOf(index, answer));
    const state = readings.length === 0 && this.#count > 0 ? "failed" : "ok";
    const tookMs = this.#clock.monotonic() - begun;
    return { ...nothingRead({ name: NAME, state, tookMs }), readings, unlisted: this.#unlisted(answers) };
  }

  /** A fresh worker: the driver was upgraded, or devices came and went, and the library knows only what it saw at first. */
  async restart(): Promise<void> {
    this.#last.clear();
    await this.#worker.restart();
  }

  close(): Promise<void> {
    return this.#worker.close();
  }

  /** Why it cannot be read, or undefined when the library is open in the worker that runs. */
  async #open(depth: Depth, signal: AbortSignal): Promise<SourceState | undefined> {
    if (this.#openPid === undefined || this.#openPid !== this.#worker.pid) {
      const opened = await this.#ask({ do: "open", libraries: [...this.#libraries] }, NvmlOpened, {
        timeoutMs: OPEN_MS,
        signal,
      });
      if (!opened.ok) return stateOf(opened);
      if ("absent" in opened.value) {
        await this.#worker.restart();
        return { name: NAME, state: "absent", detail: opened.value.absent.slice(0, DETAIL_CHARS) };
      }
      this.#openPid = this.#worker.pid;
      this.#count = -1;
    }
    if (depth === "quick" && this.#count >= 0) return undefined;
    const devices = await this.#ask({ do: "devices" }, NvmlDevices, { timeoutMs: ANSWER_MS, signal });
    if (!devices.ok) return stateOf(devices);
    this.#count = devices.value.count;
    return undefined;
  }

  /** All at once; where that crashed the worker, once more one by one, to find the device that did it. */
  async #readAll(depth: Depth, signal: AbortSignal): Promise<Map<number, Answer<NvmlRead>>> {
    const indices = Array.from({ length: this.#count }, (_, index) => index).filter(
      (index) => !this.#isCrashing(index),
    );
    const answers = await this.#readThese(indices, depth, signal);
    const lost = indices.filter((index) => isCrash(answers.get(index)));
    for (const index of lost) {
      const refused = await this.#open(depth, signal);
      if (refused !== undefined) break;
      const answer = (await this.#readThese([index], depth, signal)).get(index);
      if (answer === undefined) continue;
      if (isCrash(answer)) this.#crashing.set(index, this.#clock.monotonic() + CRASHED_REST_MS);
      answers.set(index, answer);
    }
    for (const index of this.#crashing.keys()) {
      if (index < this.#count && this.#isCrashing(index)) answers.set(index, CRASHED);
    }
    return answers;
  }

  #isCrashing(index: number): boolean {
    return (this.#crashing.get(index) ?? 0) > this.#clock.monotonic();
  }

  async #readThese(
    indices: readonly number[],
    depth: Depth,
    signal: AbortSignal,
  ): Promise<Map<number, Answer<NvmlRead>>> {
    const devices = indices.map((index) => ({ index, depth: this.#last.has(index) ? depth : "full" }) as const);
    const all = await this.#ask({ do: "read", devices }, NvmlReads, { timeoutMs: ANSWER_MS, signal });
    return new Map(indices.map((index, at) => [index, answerAt(all, at)]));
  }

  /** Of a device that does not answer, what it once said of itself, and why it says no more. */
  #readingOf(index: number, answer: Answer<NvmlRead>): AcceleratorReading[] {
    if (answer.ok && "reading" in answer.value) {
      this.#last.set(index, answer.value.reading);
      return [answer.value.reading];
    }
    const known = this.#last.get(index);
    if (known === undefined || (answer.ok && "nameless" in answer.value)) return [];
    const fault = faultOf(answer);
    const health = { reasons: [fault] };
    if (!fault.fence) return [{ ...known, health }];
    const { uuid, identity, vendor, model, pciAddress, serial, partitions, partitioned, nodes } = known;
    return [
      { uuid, identity, vendor, model, pciAddress, serial, partitions, partitioned, nodes, health, sources: [NAME] },
    ];
  }

  /** Of those that never said who they are, what the driver did when they were asked. */
  #unlisted(answers: ReadonlyMap<number, Answer<NvmlRead>>): HealthReason {
    const unknown = [...answers].filter(
      ([index, answer]) => !this.#last.has(index) && !(answer.ok && "reading" in answer.value),
    );
    const fault = unknown.map(([, answer]) => faultOf(answer)).find(({ code }) => code !== "lost");
    if (fault !== undefined) return { ...fault, code: fault.fence ? fault.code : "probe-timeout", fence: true };
    const message = `The driver's library lists ${this.#count} devices, and this one does not answer there.`;
    return { code: "lost", message, fence: true };
  }

  async #ask<T>(
    request: NvmlRequest,
    schema: z.ZodType<T>,
    { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal },
  ): Promise<Answer<T>> {
    const answer = await this.#worker.request(request, timeoutMs, signal);
    if (!answer.ok) return answer;
    const parsed = schema.safeParse(answer.value);
    if (parsed.success) return { ok: true, value: parsed.data };
    return { ok: false, why: "refused", detail: `The worker answered nonsense: ${z.prettifyError(parsed.error)}` };
  }
}

type Answer<T> = { readonly ok: true; readonly value: T } | Failure;

const CRASHED: Failure = { ok: false, why: "crashed", detail: "Reading it crashed the driver's library." };

function answerAt(all: Answer<readonly NvmlRead[]>, at: number): Answer<NvmlRead> {
  if (!all.ok) return all;
  const value = all.value[at];
  return value === undefined ? { ok: false, why: "refused", detail: "The worker left it out." } : { ok: true, value };
}

function isCrash(answer: Answer<NvmlRead> | undefined): boolean {
  return answer !== undefined && !answer.ok && (answer.why === "crashed" || answer.why === "resting");
}

function faultOf(answer: Answer<NvmlRead>): HealthReason {
  if (!answer.ok) {
    const code = answer.why === "timeout" ? "probe-timeout" : "driver-crash";
    return { code, message: answer.detail.slice(0, DETAIL_CHARS), fence: true };
  }
  if (!("late" in answer.value)) return { code: "lost", message: "The driver does not know the device.", fence: true };
  const lateMs = answer.value.late;
  const message = `The driver has not answered for this device for ${Math.round(lateMs)} ms.`;
  return lateMs < HUNG_MS
    ? { code: "probe-slow", message, fence: false }
    : { code: "probe-timeout", message, fence: true };
}

function stateOf({ why, detail }: Failure): SourceState {
  return { name: NAME, state: why === "timeout" ? "probe-timeout" : "failed", detail: detail.slice(0, DETAIL_CHARS) };
}
