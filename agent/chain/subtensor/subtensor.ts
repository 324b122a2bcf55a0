/**
 * The Chain of a Subtensor network, by the first node that answers properly.
 */
import type { Clock } from "../../../common/clock.ts";
import type { Hotkey } from "../../../common/hotkey.ts";
import type { Logger } from "../../../common/logger.ts";
import { AppError } from "../../../protocol/errors.ts";
import type { Axon, Chain, Metagraph } from "../chain.ts";
import { encodeServeAxon, serveAxonArguments } from "../serve-axon-call.ts";
import { createEndpoints } from "./endpoints.ts";
import type { ChainTask } from "./messages.ts";
import { metagraphOf } from "./metagraph.ts";
import { refusalOf } from "./refusals.ts";
import { RefusedByChain, runTask } from "./run-task.ts";

export interface SubtensorOptions {
  readonly endpoints: readonly string[];
  readonly genesis: string | undefined;
  readonly netuid: number;
  readonly signer: Hotkey | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  /** For each node. */
  readonly readDeadlineMs?: number;
  readonly serveDeadlineMs?: number;
}

const READ_DEADLINE_MS = 20_000;
/** Five blocks. */
const SERVE_DEADLINE_MS = 60_000;

export function createSubtensor(options: SubtensorOptions): Chain {
  const { genesis, netuid, signer, clock, log } = options;
  const endpoints = createEndpoints(options.endpoints, clock);

  /** Goes on to the next node when one fails, but not when the chain itself refuses. */
  async function withSomeNode<Value>(work: (endpoint: string) => Promise<Value>, signal: AbortSignal): Promise<Value> {
    const failures: string[] = [];
    for (const endpoint of endpoints.ordered()) {
      try {
        return await work(endpoint);
      } catch (error) {
        if (signal.aborted || !(error instanceof AppError) || error.code !== "chain-unreachable") throw error;
        endpoints.failed(endpoint);
        failures.push(`${new URL(endpoint).host}: ${error.message}`);
        log.debug("a node of the chain did not answer properly", { host: new URL(endpoint).host, error });
      }
    }
    throw new AppError("chain-unreachable", { message: failures.join(" "), details: { failures } });
  }

  async function readMetagraph(signal: AbortSignal): Promise<Metagraph> {
    return withSomeNode(async (endpoint) => {
      const task: ChainTask = { endpoint, genesis, work: { do: "read-metagraph", netuid } };
      const deadlineMs = options.readDeadlineMs ?? READ_DEADLINE_MS;
      return metagraphOf(await runTask(task, { clock, deadlineMs, signal }), netuid);
    }, signal);
  }

  async function serveAxon(axon: Axon, signal: AbortSignal): Promise<void> {
    if (signer === undefined || signer.scheme !== "sr25519")
      throw new AppError("invalid-request", { message: "Announcing needs an sr25519 hotkey file." });
    const call = serveAxonArguments(netuid, axon);
    const sign = signerOf(signer, encodeServeAxon(call));
    await withSomeNode(async (endpoint) => {
      const task: ChainTask = { endpoint, genesis, work: { do: "serve-axon", hotkey: signer.ss58, axon: call } };
      const deadlineMs = options.serveDeadlineMs ?? SERVE_DEADLINE_MS;
      await runTask(task, { clock, deadlineMs, sign, signal });
    }, signal).catch((error: unknown) => {
      throw error instanceof RefusedByChain ? refusalOf(error.refusal) : error;
    });
  }

  return { readMetagraph, serveAxon };
}

/** Signs what begins with our call, and nothing else that a node might make of it. */
function signerOf(signer: Hotkey, call: Uint8Array): (bytes: Uint8Array) => Uint8Array {
  return (bytes) => {
    const isOurs = bytes.length <= 256 && Buffer.from(bytes).subarray(0, call.length).equals(call);
    if (isOurs) return signer.sign(bytes);
    throw new AppError("chain-unreachable", { message: "A node asks for a signature over another call than ours." });
  };
}
