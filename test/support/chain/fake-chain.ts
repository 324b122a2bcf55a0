/**
 * A chain in memory: a metagraph that a test sets, and announcements that are kept to the chain's own rules. It can also
 * fail, or hang until the signal aborts.
 */
import type { Axon, Chain, Metagraph, Neuron } from "../../../agent/chain/chain.ts";
import { AXON_PROTOCOL, AXON_VERSION } from "../../../agent/chain/serve-axon-call.ts";
import { AppError } from "../../../protocol/errors.ts";
import type { Hotkey } from "../../../protocol/ids.ts";

export function neuron(uid: number, change: Partial<Neuron> = {}): Neuron {
  const nothing = { validatorPermit: false, stakeRao: 0n, emissionRao: 0n, incentive: 0, registeredAtBlock: 1 };
  return { ...nothing, axon: undefined, uid, hotkey: `5hotkey${uid}` as Hotkey, ...change };
}

export function metagraph(change: Partial<Metagraph> = {}): Metagraph {
  return { netuid: 51, block: 1_000, tempo: 360, servingRateLimit: 50, neurons: [], ...change };
}

export class FakeChain implements Chain {
  now: Metagraph;
  mood: "well" | "away" | "hangs" | "refuses" = "well";
  readonly served: Axon[] = [];
  reads = 0;
  readonly #own: string;

  constructor(now: Metagraph, own: string) {
    this.now = now;
    this.#own = own;
  }

  async readMetagraph(signal: AbortSignal): Promise<Metagraph> {
    this.reads += 1;
    await this.#answer(signal);
    return this.now;
  }

  async serveAxon(axon: Axon, signal: AbortSignal): Promise<void> {
    await this.#answer(signal);
    if (this.mood === "refuses") throw new AppError("chain-refused", { details: { reason: "bad-address" } });
    this.served.push(axon);
    const block = this.now.block + 1;
    const announced = { ...axon, version: AXON_VERSION, protocol: AXON_PROTOCOL, block };
    const neurons = this.now.neurons.map((each) => (each.hotkey === this.#own ? { ...each, axon: announced } : each));
    this.now = { ...this.now, block, neurons };
  }

  async #answer(signal: AbortSignal): Promise<void> {
    if (this.mood === "away") throw new AppError("chain-unreachable", { message: "429 Too Many Requests" });
    if (this.mood !== "hangs") return;
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    signal.throwIfAborted();
  }
}
