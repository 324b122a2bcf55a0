/**
 * The schema of agent.toml, with a default for everything but the hotkey.
 */
import { z } from "zod";

import { loadConfig } from "../common/config-file.ts";
import { decodeSs58 } from "../common/ss58.ts";
import { Hotkey } from "../protocol/ids.ts";
import { ChainConfig } from "./chain/config.ts";
import { OffersConfig } from "./fleet/offers-config.ts";
import { LiumConfig } from "./lium/config.ts";

const MIB = 2 ** 20;

const Port = z.int().min(0).max(65_535);
const Address = Hotkey.refine((text) => decodeSs58(text) !== undefined, "is not an ss58 address of format 42");

export const AgentConfig = z.strictObject({
  /** `development` offers simulated GPUs; nothing else does. */
  network: z.enum(["development", "test", "finney"]).default("finney"),
  stateDir: z.string().min(1).default("/var/lib/lium-agent"),
  logLevel: z.enum(["debug", "info", "warn", "error"]).default("info"),
  /** Who this agent is: a hotkey file of btcli and the file with its password, if it has one; or the address alone. */
  hotkey: z
    .strictObject({
      file: z.string().min(1).optional(),
      passwordFile: z.string().min(1).optional(),
      ss58: Address.optional(),
    })
    .refine(({ file, ss58 }) => (file === undefined) !== (ss58 === undefined), "give either file or ss58")
    .prefault({}),
  /** Where validators are heard. A port of 0 is any free one; listeners.json in the state folder says which. */
  validator: z
    .strictObject({
      host: z.string().default("0.0.0.0"),
      port: Port.default(8091),
      /** What validators are told; made of host and port when left out. */
      publicUrl: z.url({ protocol: /^https?$/ }).optional(),
      /** Of one address, an IPv6 /64 being one, and of one hotkey from all its addresses; a sixth of it may come at once. */
      rateLimitPerMinute: z.int().positive().default(1_500),
      hotkeyRateLimitPerMinute: z.int().positive().default(3_000),
      /** Of all callers; one address may have a quarter of them. */
      maxConnections: z.int().min(4).max(65_536).default(1_024),
      /** A pod must fit into one frame of the link, whatever its request looked like. */
      bodyLimitBytes: z
        .int()
        .positive()
        .max(2 * MIB)
        .default(MIB),
      /** Who is served. */
      allow: z
        .array(z.strictObject({ hotkey: Address, scheme: z.enum(["sr25519", "ed25519"]).default("sr25519") }))
        .default([]),
    })
    .prefault({}),
  /** Where executors are heard. */
  link: z
    .strictObject({
      host: z.string().default("0.0.0.0"),
      port: Port.default(8443),
      /** What join tokens name; made of host and port when left out. */
      publicUrl: z.url({ protocol: /^wss$/ }).optional(),
    })
    .prefault({}),
  /** Which validators the network permits, and where they find us. */
  chain: ChainConfig,
  /** How Lium's own validators are heard, and what their keys open. */
  lium: LiumConfig,
  /** What validators are told of hosts, and the prices. */
  offers: OffersConfig,
  operator: z.strictObject({ socketPath: z.string().min(1).default("/run/lium-agent/agent.sock") }).prefault({}),
});
export type AgentConfig = z.infer<typeof AgentConfig>;

/** Reads the file, and the LIUM_AGENT_ variables. Throws `config-invalid`. */
export function loadAgentConfig(file: string): Promise<AgentConfig> {
  return loadConfig({
    file,
    optional: false,
    schema: AgentConfig,
    envPrefix: "LIUM_AGENT_",
    otherVariables: ["LIUM_AGENT_CONFIG", "LIUM_AGENT_SOCKET"],
  });
}
