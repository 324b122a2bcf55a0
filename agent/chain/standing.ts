/**
 * How our own hotkey stands on the subnet: registered or not, rank among miners, what it earns. Pure.
 */
import { BLOCK_MS, type Metagraph, type Neuron, taoOf } from "./chain.ts";

const DAY_MS = 86_400_000;

export interface Standing {
  readonly uid: number;
  readonly registeredAtBlock: number;
  readonly incentive: number;
  /** 1 is the miner that earns most; equals share a rank. */
  readonly rank: number;
  /** Neurons without a validator permit, we among them. */
  readonly miners: number;
  readonly alphaPerTempo: number;
  /** If every tempo were like the last. */
  readonly alphaPerDay: number;
}

export function neuronOf({ neurons }: Metagraph, hotkey: string): Neuron | undefined {
  return neurons.find((neuron) => neuron.hotkey === hotkey);
}

/** Undefined when the hotkey is not registered on the subnet. */
export function standingOf(metagraph: Metagraph, hotkey: string): Standing | undefined {
  const own = neuronOf(metagraph, hotkey);
  if (own === undefined) return undefined;
  const miners = metagraph.neurons.filter((neuron) => neuron === own || !neuron.validatorPermit);
  const alphaPerTempo = taoOf(own.emissionRao);
  const temposPerDay = DAY_MS / (BLOCK_MS * (metagraph.tempo + 1));
  return {
    uid: own.uid,
    registeredAtBlock: own.registeredAtBlock,
    incentive: own.incentive,
    rank: 1 + miners.filter(({ incentive }) => incentive > own.incentive).length,
    miners: miners.length,
    alphaPerTempo,
    alphaPerDay: alphaPerTempo * temposPerDay,
  };
}
