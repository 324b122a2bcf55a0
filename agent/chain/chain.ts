/**
 * The chain as a port: what the agent reads from it, and the one thing that it writes there. Amounts are in rao, a
 * billionth of a TAO or of an alpha. Every call has a deadline of its own and ends early when its signal aborts.
 */
import type { Hotkey } from "../../protocol/ids.ts";

/** Where a neuron says it listens. */
export interface Axon {
  /** As text; which spelling of an IPv6 address does not matter. */
  readonly ip: string;
  readonly port: number;
}

export interface AnnouncedAxon extends Axon {
  readonly version: number;
  readonly protocol: number;
  /** The block in which it was announced. */
  readonly block: number;
}

export interface Neuron {
  readonly uid: number;
  readonly hotkey: Hotkey;
  readonly validatorPermit: boolean;
  /** What its votes weigh: alpha, and TAO as the network weighs it. */
  readonly stakeRao: bigint;
  /** Alpha of the last tempo. */
  readonly emissionRao: bigint;
  /** Its share of what miners earn, 0 to 1. */
  readonly incentive: number;
  readonly registeredAtBlock: number;
  readonly axon: AnnouncedAxon | undefined;
}

/** A subnet at one block. */
export interface Metagraph {
  readonly netuid: number;
  readonly block: number;
  /** Blocks between two payments. */
  readonly tempo: number;
  /** Blocks that must lie between two announcements. */
  readonly servingRateLimit: number;
  readonly neurons: readonly Neuron[];
}

export interface Chain {
  /** Throws `chain-unreachable` when no endpoint gives a proper answer, `chain-client-missing` when none can be asked. */
  readMetagraph(signal: AbortSignal): Promise<Metagraph>;
  /**
   * Resolves once the announcement is in a block. Throws `chain-refused`, with `details.reason` a RefusalReason, or
   * `chain-unreachable`, after which the outcome is unknown: read the metagraph.
   */
  serveAxon(axon: Axon, signal: AbortSignal): Promise<void>;
}

/** Blocks come every 12 seconds. */
export const BLOCK_MS = 12_000;
export const RAO_PER_TAO = 1e9;

/** For people and thresholds that people set; sums are made in rao. */
export function taoOf(rao: bigint): number {
  return Number(rao) / RAO_PER_TAO;
}
