/**
 * What the operator sees of the chain. Amounts are in TAO or alpha, as numbers: for people, not for sums.
 */
import { z } from "zod";

import { Hotkey, Instant } from "./ids.ts";

const ChainProblem = z.strictObject({ at: Instant, code: z.string(), message: z.string() });

const ChainStanding = z.strictObject({
  uid: z.int(),
  registeredAtBlock: z.int(),
  /** Share of what miners earn, 0 to 1. */
  incentive: z.number(),
  /** 1 is the miner that earns most. */
  rank: z.int(),
  miners: z.int(),
  alphaPerTempo: z.number(),
  /** If every tempo were like the last. */
  alphaPerDay: z.number(),
});

export const ChainStatus = z.strictObject({
  network: z.string(),
  netuid: z.int(),
  hotkey: Hotkey,
  /** Which block the answers below are of; absent before the chain was first read. */
  block: z.int().optional(),
  readAt: Instant.optional(),
  /** Absent while unknown. */
  registered: z.boolean().optional(),
  standing: ChainStanding.optional(),
  axon: z.strictObject({
    /** Where we want validators to dial, and where the chain tells them to; as address and port. */
    wanted: z.string().optional(),
    onChain: z.string().optional(),
    state: z.enum(["off", "unknown", "announced", "due", "waiting", "not-registered"]),
  }),
  validators: z.strictObject({ permitted: z.int(), known: z.int(), readAt: Instant.optional() }),
  /** The last thing that went wrong, until it goes right. */
  readProblem: ChainProblem.optional(),
  announceProblem: ChainProblem.optional(),
});
export type ChainStatus = z.infer<typeof ChainStatus>;

export const ChainValidator = z.strictObject({
  hotkey: Hotkey,
  uid: z.int(),
  stakeTao: z.number(),
  verdict: z.enum(["permitted", "denied", "not-listed", "too-little-stake"]),
});
export type ChainValidator = z.infer<typeof ChainValidator>;
