/**
 * Proves what a validator asks of GPUs: a worker process for each, all of them at the same time, each step within its time.
 * What goes wrong is an answer in words, and costs that GPU's proof alone.
 */
import { extname } from "node:path";
import { fileURLToPath } from "node:url";

import type { z } from "zod";

import type { Challenge, Reveal } from "../../protocol/challenge/messages.ts";
import type { GpuUuid } from "../../protocol/ids.ts";
import { type WorkerParts, WorkerProcess } from "../gpus/children/worker-process.ts";
import { Failure } from "./failure.ts";
import type { DeviceChoice, OpenClDevice } from "./opencl/devices.ts";
import { Answered, Committed, DevicesFound, Opened, type ProverRequest } from "./words.ts";

export interface ProverOptions {
  /** The machine's OpenCL; the loader's own search when left out. */
  readonly library?: string;
  /** Further environment of the workers. */
  readonly env?: Readonly<Record<string, string>>;
  /** Less than a device says that it can allocate at a time; for tests. */
  readonly maxAllocationBytes?: number;
}

export interface Deadline {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** By GPU, in the order of the challenge. */
export type Outcomes<T> = ReadonlyMap<GpuUuid, T | Failure>;

const LIBRARY = "libOpenCL.so.1";
const LIST_MS = 20_000;
/** Drivers compile the kernels, some of them for the first time. */
const OPEN_MS = 120_000;
/** Some compilers of drivers run a linker. */
const PLAIN_ENV = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" };
const NO_REST = { firstDelayMs: 0, maxDelayMs: 0 };

/** The devices that OpenCL shows on this machine. Rejects only with the signal's reason. */
export async function listOpenClDevices(
  options: ProverOptions,
  parts: WorkerParts,
  signal: AbortSignal,
): Promise<{ readonly ok: true; readonly devices: readonly OpenClDevice[] } | Failure> {
  const worker = startWorker(options, parts);
  try {
    const request = { do: "devices", library: options.library ?? LIBRARY } as const;
    return await ask({ worker, request, schema: DevicesFound }, { timeoutMs: LIST_MS, signal });
  } finally {
    await worker.close();
  }
}

export interface RunOptions extends Pick<Challenge, "gpus" | "task"> {
  /** 32 bytes from which this GPU's matrices follow. */
  readonly seedOf: (gpu: GpuUuid) => Buffer;
  /** Where each GPU is. */
  readonly devices: ReadonlyMap<GpuUuid, DeviceChoice>;
}

/** One challenge on this host: open, commit, answer, close; close at any time. */
export class ChallengeRun {
  readonly #run: RunOptions;
  readonly #options: ProverOptions;
  readonly #workers: ReadonlyMap<GpuUuid, WorkerProcess>;

  constructor(options: ProverOptions & RunOptions, parts: WorkerParts) {
    this.#run = options;
    this.#options = options;
    this.#workers = new Map(options.gpus.map((gpu) => [gpu, startWorker(options, parts)]));
  }

  /** Readies every GPU, so that all of them begin at the same time. To be done before the validator's clock runs. */
  open(signal: AbortSignal): Promise<Outcomes<z.infer<typeof Opened>>> {
    const { library = LIBRARY, maxAllocationBytes } = this.#options;
    return this.#each(Opened, { timeoutMs: OPEN_MS, signal }, (gpu) => ({
      do: "open",
      library,
      device: this.#run.devices.get(gpu) ?? { uuid: gpu },
      ...(maxAllocationBytes === undefined ? {} : { maxAllocationBytes }),
    }));
  }

  /** Rejects only with the signal's reason. */
  commit(deadline: Deadline): Promise<Outcomes<Committed>> {
    return this.#each(Committed, deadline, (gpu) => ({
      do: "commit",
      task: this.#run.task,
      seed: this.#run.seedOf(gpu).toString("hex"),
    }));
  }

  /** Once: a second time every GPU fails with `out-of-order`. Rejects only with the signal's reason. */
  answer(reveal: Reveal, deadline: Deadline): Promise<Outcomes<Answered>> {
    return this.#each(Answered, deadline, (gpu) => ({ do: "answer", reveal, gpu }));
  }

  /** Ends the workers, whatever they do, and so gives back what they hold. */
  async close(): Promise<void> {
    await Promise.all([...this.#workers.values()].map((worker) => worker.close()));
  }

  async #each<T>(
    schema: z.ZodType<T>,
    deadline: Deadline,
    requestOf: (gpu: GpuUuid) => ProverRequest,
  ): Promise<Outcomes<T>> {
    const outcomes = [...this.#workers].map(async ([gpu, worker]) => {
      return [gpu, await ask({ worker, request: requestOf(gpu), schema }, deadline)] as const;
    });
    return new Map(await Promise.all(outcomes));
  }
}

function startWorker({ env = {} }: ProverOptions, parts: WorkerParts): WorkerProcess {
  const script = fileURLToPath(new URL(`./worker${extname(import.meta.url)}`, import.meta.url));
  return new WorkerProcess(
    { name: "challenge", script, args: [], env: { ...PLAIN_ENV, ...env }, restart: NO_REST },
    parts,
  );
}

async function ask<T>(
  { worker, request, schema }: { worker: WorkerProcess; request: ProverRequest; schema: z.ZodType<T> },
  { timeoutMs, signal }: Deadline,
): Promise<T | Failure> {
  const answer = await worker.request(request, timeoutMs, signal);
  if (!answer.ok) {
    const code = answer.why === "timeout" ? "timeout" : answer.why === "refused" ? "device-failed" : "crashed";
    return { ok: false, code, detail: answer.detail };
  }
  const failure = Failure.safeParse(answer.value);
  return failure.success ? failure.data : schema.parse(answer.value);
}
