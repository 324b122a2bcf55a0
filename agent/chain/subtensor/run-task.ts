/**
 * Runs one task with one node on a thread of its own, and ends the thread: decoding never holds up those that the agent
 * serves, a node that hangs holds nothing, and the client's memory is there only while it is used.
 */
import { extname } from "node:path";
import { Worker } from "node:worker_threads";

import type { Clock } from "../../../common/clock.ts";
import { AppError } from "../../../protocol/errors.ts";
import { type ChainTask, type RawRefusal, WorkerSays } from "./messages.ts";

export interface TaskParts {
  readonly clock: Clock;
  readonly deadlineMs: number;
  /** Signs, or throws when the bytes are not what it is willing to sign. */
  readonly sign?: (bytes: Uint8Array) => Uint8Array;
  readonly signal: AbortSignal;
}

/** The node refused what was submitted, for a reason of the chain's own. */
export class RefusedByChain extends Error {
  readonly refusal: RawRefusal;

  constructor(refusal: RawRefusal) {
    super(refusal.message);
    this.refusal = refusal;
  }
}

/**
 * What the task gives. Throws RefusedByChain, `chain-client-missing`, or `chain-unreachable` when this node does not
 * answer in time or not properly.
 */
export async function runTask(task: ChainTask, { clock, deadlineMs, sign, signal }: TaskParts): Promise<unknown> {
  signal.throwIfAborted();
  const worker = new Worker(new URL(`./worker${extname(import.meta.url)}`, import.meta.url), {
    name: "chain",
    workerData: task,
    env: {},
    // The client's warnings are not for our output.
    stdout: true,
    stderr: true,
    resourceLimits: { maxOldGenerationSizeMb: 512 },
  });
  const over = new AbortController();
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  worker.stdout.resume();
  worker.stderr.resume();
  worker.on("message", (message) => {
    try {
      const said = WorkerSays.parse(message);
      if (said.says === "sign") worker.postMessage(sign?.(said.bytes));
      else if (said.says === "done") resolve(said.value);
      else reject(failureOf(said));
    } catch (error) {
      reject(error);
    }
  });
  worker.once("error", (error) => reject(unreachable(`The thread for the chain failed: ${error.message}`)));
  worker.once("exit", () => reject(unreachable("The thread for the chain ended.")));
  clock.sleep(deadlineMs, AbortSignal.any([signal, over.signal])).then(
    () => reject(unreachable(`No answer within ${deadlineMs / 1000} s.`)),
    (reason: unknown) => reject(reason),
  );
  try {
    return await promise;
  } finally {
    over.abort();
    await worker.terminate();
  }
}

function failureOf(said: Extract<WorkerSays, { says: "refused" | "failed" }>): Error {
  if (said.says === "refused") return new RefusedByChain(said.refusal);
  if (said.why === "client-missing") return new AppError("chain-client-missing");
  return unreachable(said.message);
}

function unreachable(message: string): AppError {
  return new AppError("chain-unreachable", { message });
}
