/**
 * Starts the agent's part in the chain. Nothing here waits for the network: what an earlier run knew holds until the
 * chain is read.
 */
import { isIP } from "node:net";
import { join } from "node:path";

import type { Clock } from "../../common/clock.ts";
import type { Hotkey as SigningHotkey } from "../../common/hotkey.ts";
import type { Lifecycle } from "../../common/lifecycle.ts";
import type { Logger } from "../../common/logger.ts";
import type { Hotkey } from "../../protocol/ids.ts";
import type { Axon, Chain } from "./chain.ts";
import type { ChainConfig } from "./config.ts";
import { type ChainDesk, chainOff, createChainDesk } from "./desk.ts";
import { KnownValidators } from "./known-validators.ts";
import { NETWORKS } from "./networks.ts";
import { createSubtensor } from "./subtensor/subtensor.ts";
import { ChainWatch } from "./watch.ts";

export interface ChainDeps {
  readonly config: ChainConfig;
  readonly network: keyof typeof NETWORKS;
  readonly stateDir: string;
  readonly hotkey: Hotkey;
  /** Absent when only the hotkey's address is known: then nothing is announced. */
  readonly signer?: SigningHotkey | undefined;
  /** Where validators reach this agent, once that is known. */
  readonly validatorUrl: () => string;
  readonly life: Pick<Lifecycle, "signal" | "add">;
  readonly clock: Clock;
  readonly log: Logger;
  /** For tests. */
  readonly chain?: Chain;
}

export async function startChain(deps: ChainDeps): Promise<ChainDesk> {
  const { config, network, stateDir, hotkey, signer, life, clock, log } = deps;
  const { netuid, validators: rule } = config;
  const { genesis = config.genesis, endpoints: usual } = NETWORKS[network];
  const endpoints = config.endpoints ?? usual;
  if (!config.enabled || endpoints.length === 0) return chainOff();
  const known = new KnownValidators({ path: join(stateDir, "chain-validators.json"), network, netuid, rule });
  if (!(await known.load())) log.warn("the validators of an earlier run could not be read, or were of another subnet");
  const chain = deps.chain ?? createSubtensor({ endpoints, genesis, netuid, signer, clock, log });
  const wanted = (): Axon | undefined =>
    config.announce.enabled && signer !== undefined ? axonOf(config.announce, deps.validatorUrl()) : undefined;
  const watch = new ChainWatch({ chain, known, hotkey, wanted, refreshMs: config.refreshSeconds * 1000, clock, log });
  watch.start(life.signal);
  life.add("chain", () => watch.closed());
  return createChainDesk({ network, netuid, hotkey, rule, known, watch, wanted, clock, signal: life.signal });
}

/** Undefined unless there is an address that validators elsewhere could dial. */
function axonOf({ ip, port }: ChainConfig["announce"], validatorUrl: string): Axon | undefined {
  const url = URL.parse(validatorUrl);
  const host = ip ?? url?.hostname.replace(/^\[(.*)\]$/, "$1") ?? "";
  const isDialled = isIP(host) !== 0 && !/^(127\.|0\.|::1?$)/.test(host);
  const usualPort = url?.protocol === "https:" ? 443 : 80;
  return isDialled ? { ip: host, port: port ?? (Number(url?.port) || usualPort) } : undefined;
}
