/**
 * What the thread that speaks to a node is told, and what it says. One thread does one task with one node, and ends.
 */
import { z } from "zod";

const ServeAxon = z.strictObject({
  netuid: z.int(),
  version: z.int(),
  ip: z.bigint(),
  port: z.int(),
  ipType: z.literal([4, 6]),
  protocol: z.int(),
});

export const ChainTask = z.strictObject({
  endpoint: z.string(),
  /** The hash of the first block; any will do when left out. */
  genesis: z.string().optional(),
  work: z.discriminatedUnion("do", [
    z.strictObject({ do: z.literal("read-metagraph"), netuid: z.int() }),
    z.strictObject({ do: z.literal("serve-axon"), hotkey: z.string(), axon: ServeAxon }),
  ]),
});
export type ChainTask = z.infer<typeof ChainTask>;

/** What came back when an announcement was refused: by the pool as a number, by the block as a name, or only as words. */
export const RawRefusal = z.strictObject({
  custom: z.int().optional(),
  module: z.string().optional(),
  message: z.string(),
});
export type RawRefusal = z.infer<typeof RawRefusal>;

export const WorkerSays = z.discriminatedUnion("says", [
  z.strictObject({ says: z.literal("done"), value: z.unknown() }),
  z.strictObject({ says: z.literal("sign"), bytes: z.instanceof(Uint8Array) }),
  z.strictObject({ says: z.literal("refused"), refusal: RawRefusal }),
  z.strictObject({ says: z.literal("failed"), why: z.enum(["client-missing", "node"]), message: z.string() }),
]);
export type WorkerSays = z.infer<typeof WorkerSays>;
