/**
 * The `[chain]` section of agent.toml: which subnet, by whose nodes, who of its validators is served, what is announced.
 */
import { z } from "zod";

import { decodeSs58 } from "../../common/ss58.ts";
import { Hotkey } from "../../protocol/ids.ts";

const Address = Hotkey.refine((text) => decodeSs58(text) !== undefined, "is not an ss58 address of format 42");

export const ChainConfig = z
  .strictObject({
    /** Without the chain only [[validator.allow]] is served. A development network is off the chain unless it names endpoints. */
    enabled: z.boolean().default(true),
    netuid: z.int().min(0).max(65_535).default(51),
    /** Nodes to ask, the first that answers properly; your own before public ones. The network's own when left out. */
    endpoints: z
      .array(z.url({ protocol: /^wss?$/ }))
      .min(1)
      .max(8)
      .optional(),
    /** Of a chain that is neither finney nor test. */
    genesis: z
      .string()
      .regex(/^0x[0-9a-f]{64}$/)
      .optional(),
    refreshSeconds: z.int().min(60).max(86_400).default(300),
    announce: z
      .strictObject({
        enabled: z.boolean().default(true),
        /** Where validators are told to dial; taken from the validator listener's public URL when left out. */
        ip: z.union([z.ipv4(), z.ipv6()]).optional(),
        port: z.int().min(1).max(65_535).optional(),
      })
      .prefault({}),
    validators: z
      .strictObject({
        /** The stake that gives weight: alpha, and TAO as the network weighs it. */
        minStakeTao: z.number().min(0).default(20_000),
        /** When not empty: nobody else, permit or not. */
        only: z.array(Address).default([]),
        /** Never, not even when [[validator.allow]] names them. */
        deny: z.array(Address).default([]),
      })
      .prefault({}),
  })
  .prefault({});
export type ChainConfig = z.infer<typeof ChainConfig>;
