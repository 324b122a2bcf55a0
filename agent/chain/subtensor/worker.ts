/**
 * One task with one node, on a thread of its own: the only place where the chain's client is loaded, and what it loads
 * goes with the thread. Through `require`: as ES modules the client takes three times as long to load and twice the memory.
 */
import { once } from "node:events";
import { createRequire } from "node:module";
import { parentPort, workerData } from "node:worker_threads";

import type { ApiPromise } from "@polkadot/api";

import { ChainTask, type WorkerSays } from "./messages.ts";
import { METAGRAPH_FIELDS } from "./metagraph.ts";
import { serveAxon } from "./serve-axon.ts";

const require = createRequire(import.meta.url);

/** The little of the client that is used; its own types do not fit each other when optional means absent. */
interface Client {
  readonly ApiPromise: new (options: {
    provider: Provider;
    noInitWarn: boolean;
    throwOnConnect: boolean;
  }) => ApiPromise;
  readonly WsProvider: new (endpoint: string, reconnectAfterMs: false) => Provider;
}

interface Provider {
  connect(): Promise<void>;
  on(event: "error" | "disconnected", listener: () => void): unknown;
}

function say(message: WorkerSays): void {
  parentPort?.postMessage(message);
}

/** Undefined when the optional package is not installed. */
function loadClient(): Client | undefined {
  try {
    return require("@polkadot/api");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "MODULE_NOT_FOUND") return undefined;
    throw error;
  }
}

async function connect({ ApiPromise, WsProvider }: Client, { endpoint, genesis }: ChainTask): Promise<ApiPromise> {
  const provider = new WsProvider(endpoint, false);
  for (const event of ["error", "disconnected"] as const)
    provider.on(event, () =>
      say({ says: "failed", why: "node", message: "It cannot be reached, or closed the connection." }),
    );
  await provider.connect();
  const api = new ApiPromise({ provider, noInitWarn: true, throwOnConnect: true });
  await api.isReadyOrError;
  const first = api.genesisHash.toHex();
  if (genesis !== undefined && first !== genesis)
    throw new Error(`It serves another chain, which began with ${first}.`);
  return api;
}

async function readMetagraph(api: ApiPromise, netuid: number): Promise<unknown> {
  const call = api.call["subnetInfoRuntimeApi"]?.["getSelectiveMetagraph"];
  if (call === undefined) throw new Error("Its runtime has no selective metagraph.");
  const answer = await call(netuid, METAGRAPH_FIELDS);
  return answer.toJSON();
}

async function sign(bytes: Uint8Array): Promise<Uint8Array> {
  if (parentPort === null) throw new Error("Nobody is here to sign.");
  say({ says: "sign", bytes: new Uint8Array(bytes) });
  const [signature]: unknown[] = await once(parentPort, "message");
  if (!(signature instanceof Uint8Array)) throw new Error("It was not signed.");
  return signature;
}

async function run(task: ChainTask): Promise<WorkerSays> {
  const client = loadClient();
  if (client === undefined) return { says: "failed", why: "client-missing", message: "" };
  const api = await connect(client, task);
  if (task.work.do === "read-metagraph") return { says: "done", value: await readMetagraph(api, task.work.netuid) };
  const refusal = await serveAxon(api, task.work, sign);
  return refusal === undefined ? { says: "done", value: undefined } : { says: "refused", refusal };
}

try {
  say(await run(ChainTask.parse(workerData)));
} catch (error) {
  const message = error instanceof Error ? error.message : "The connection failed.";
  say({ says: "failed", why: "node", message });
}
