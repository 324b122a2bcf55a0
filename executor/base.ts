/**
 * What every part of the executor is made with.
 */
import type { Clock } from "../common/clock.ts";
import type { KeyedLock } from "../common/keyed-lock.ts";
import type { Lifecycle } from "../common/lifecycle.ts";
import type { Logger } from "../common/logger.ts";
import type { ExecutorConfig } from "./config.ts";
import type { ContainerRuntime, EngineInfo } from "./docker/runtime.ts";
import type { OpenInventory } from "./gpus/open.ts";
import type { Passthrough } from "./gpus/passthrough/passthrough.ts";
import type { EngineWatch } from "./health/engine-watch.ts";
import type { CurrentFacts } from "./host/current-facts.ts";
import type { HostKeys } from "./identity.ts";
import type { Ledger } from "./pods/ledger.ts";
import type { RootQuota } from "./storage/quota.ts";

export interface Base {
  readonly config: ExecutorConfig;
  readonly log: Logger;
  readonly life: Lifecycle;
  /** Changes with every boot of the machine. */
  readonly bootId: string;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly keys: HostKeys;
  readonly runtime: ContainerRuntime;
  /** What the engine said of itself when the executor started. */
  readonly engineInfo: EngineInfo;
  readonly engine: EngineWatch;
  /** Whether the engine can limit what a pod writes to its own disk. */
  readonly quota: RootQuota;
  readonly ledger: Ledger;
  /** Held while a pod is admitted, and by what no pod may be admitted beside. */
  readonly admissions: KeyedLock;
  readonly gpus: OpenInventory;
  readonly passthrough: Passthrough;
  readonly facts: CurrentFacts;
}
