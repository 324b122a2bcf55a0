/**
 * Everything that keeps pods apart from this host and from each other, behind one object. Nothing of a pod is created or
 * started unless `check` has resolved just before: what cannot be protected does not run.
 */
import { readFile } from "node:fs/promises";

import type { Logger } from "../../common/logger.ts";
import { AppError } from "../../protocol/errors.ts";
import type { IsolationSettings } from "../docker/container-spec.ts";
import type { Networks } from "../docker/networks.ts";
import type { EngineInfo } from "../docker/runtime.ts";
import { raiseSharedLimits } from "../host/shared-limits.ts";
import type { FileOwner } from "../ssh/pod-files.ts";
import type { IsolationConfig } from "./config.ts";
import { Firewall } from "./firewall.ts";
import { type HostNetwork, readHostNetwork } from "./host-network.ts";
import { PodNetworks } from "./networks.ts";
import { type Finding, judgeEngine, judgeProcess, mappedRoot, runtimeOf } from "./posture.ts";
import type { FirewallPolicy } from "./ruleset.ts";
import { traitsOf } from "./runtimes.ts";
import { runSelfCheck, type SelfCheckDeps } from "./self-check.ts";

export interface IsolationDeps extends Omit<SelfCheckDeps, "runtime"> {
  readonly config: IsolationConfig;
  readonly runtime: SelfCheckDeps["runtime"] & { info(signal: AbortSignal): Promise<EngineInfo> };
  readonly networks: Networks;
  readonly log: Logger;
  /** The program that sets the firewall, by name or path. */
  readonly nft: string;
  readonly readHostNetwork: () => Promise<HostNetwork>;
  readonly raiseSharedLimits: () => Promise<readonly string[]>;
}

/** Many pods start at once, and one look is enough for them all. */
const FIREWALL_FRESH_MS = 1_000;
/** An engine changes only by a restart, which the executor sees as an outage before it asks this again. */
const ENGINE_FRESH_MS = 30_000;
const VERIFY_MS = 60_000;
const MOST_OPEN_FILES = 1_048_576;

export class Isolation {
  readonly networks: PodNetworks;
  /** For the containers of pods. */
  readonly settings: IsolationSettings;
  readonly #deps: IsolationDeps;
  readonly #firewall: Firewall;
  #running: Promise<void> | undefined;
  #firewallAtMs = -Infinity;
  #engineAtMs = -Infinity;
  /** What the engine said of itself when a container was last run to check it. */
  #checkedEngine: string | undefined;
  #podRoot: FileOwner | undefined;

  constructor(deps: IsolationDeps, openFiles: number) {
    const { config, hostId } = deps;
    this.#deps = deps;
    this.settings = { dns: config.dns, openFiles, runtime: config.runtime };
    this.networks = new PodNetworks({ pool: config.pool, spares: config.spareNetworks, hostId }, deps);
    this.#firewall = new Firewall({ nft: deps.nft, policy: () => this.#policy() });
  }

  /** Who root of a pod is on this host; undefined for root itself. Known once `check` has resolved. */
  get podRoot(): FileOwner | undefined {
    return this.#podRoot;
  }

  /**
   * Resolves when every protection is in force; restores what can be restored. Rejects with `isolation-unavailable`, whose
   * details name the protection, and with `engine-unavailable`. Costs next to nothing when it was called just before.
   */
  async check(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#running ??= this.#verify(AbortSignal.timeout(VERIFY_MS)).finally(() => (this.#running = undefined));
    const aborted = Promise.withResolvers<never>();
    const abort = (): void => aborted.reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    try {
      await Promise.race([this.#running, aborted.promise]);
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  async #verify(signal: AbortSignal): Promise<void> {
    const now = this.#deps.clock.monotonic();
    const verified = await Promise.allSettled([
      now - this.#firewallAtMs < FIREWALL_FRESH_MS ? undefined : this.#verifyFirewall(signal),
      now - this.#engineAtMs < ENGINE_FRESH_MS ? undefined : this.#verifyEngine(signal),
    ]);
    for (const result of verified) if (result.status === "rejected") throw result.reason;
  }

  async #verifyFirewall(signal: AbortSignal): Promise<void> {
    await this.#firewall.ensure(signal);
    this.#firewallAtMs = this.#deps.clock.monotonic();
  }

  async #verifyEngine(signal: AbortSignal): Promise<void> {
    const { runtime, config, log } = this.#deps;
    const raised = await this.#deps.raiseSharedLimits();
    if (raised.length > 0) log.info("limits that all pods share were raised", { raised });
    const engine = await runtime.info(signal);
    const findings = judgeEngine(engine, config.runtime);
    this.#refuseFatal(findings);
    if (this.#checkedEngine !== JSON.stringify(engine)) {
      const name = runtimeOf(engine, config.runtime);
      this.#refuseFatal(judgeProcess(await runSelfCheck(this.settings, this.#deps, signal), name));
      for (const { protection, message } of findings) log.warn(message, { protection });
      log.info("pods are kept apart", {
        runtime: name,
        ...traitsOf(name),
        usersMapped: mappedRoot(engine) !== undefined,
      });
      this.#checkedEngine = JSON.stringify(engine);
    }
    this.#podRoot = mappedRoot(engine);
    this.#engineAtMs = this.#deps.clock.monotonic();
  }

  #refuseFatal(findings: readonly Finding[]): void {
    const [first, ...others] = findings.filter(({ fatal }) => fatal);
    if (first === undefined) return;
    const { protection, message } = first;
    throw new AppError("isolation-unavailable", { message, details: { protection, others } });
  }

  async #policy(): Promise<FirewallPolicy> {
    const { config } = this.#deps;
    const nameServers = config.dns.length > 0 ? config.dns : (await this.#deps.readHostNetwork()).nameServers;
    const { uploadMbitPerSecond, downloadMbitPerSecond } = config;
    return { ...config, nameServers, uploadMbitPerSecond, downloadMbitPerSecond };
  }
}

/** With this host's own network and firewall. */
export async function createIsolation(
  deps: Omit<IsolationDeps, "nft" | "readHostNetwork" | "raiseSharedLimits"> & Partial<IsolationDeps>,
): Promise<Isolation> {
  const own = { nft: "nft", readHostNetwork: () => readHostNetwork(), raiseSharedLimits: () => raiseSharedLimits() };
  return new Isolation({ ...own, ...deps }, await readOpenFilesLimit());
}

/** Ours is the best guess at the engine's, which cannot give a container more than it has on hosts that take root's right to. */
async function readOpenFilesLimit(): Promise<number> {
  const limits = await readFile("/proc/self/limits", "utf8");
  const hard = Number(/^Max open files\s+\S+\s+(\d+)/m.exec(limits)?.[1]);
  return Math.min(Number.isFinite(hard) ? hard : MOST_OPEN_FILES, MOST_OPEN_FILES);
}
