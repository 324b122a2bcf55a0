/**
 * The port to what lies about in an engine: every container, volume and network with its labels and age, and the removal
 * of volumes and networks that serve nobody. Containers end by the ladder of executor/pods/ending.ts.
 */
import type { ContainerState } from "./runtime.ts";

export interface EngineContainer {
  readonly name: string;
  readonly state: ContainerState;
  readonly labels: Readonly<Record<string, string>>;
  readonly createdAtMs: number | undefined;
  /** Of networks and volumes that it needs, also while it does not run. */
  readonly networks: readonly string[];
  readonly volumes: readonly string[];
}

export interface EngineThing {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** In milliseconds since the epoch; undefined where the engine does not say. */
  readonly createdAtMs: number | undefined;
}

export interface EngineObjects {
  readonly containers: readonly EngineContainer[];
  readonly volumes: readonly EngineThing[];
  readonly networks: readonly EngineThing[];
}

export interface StrayObjects {
  /** Everything, whoever made it: what others use must be known too. */
  list(signal: AbortSignal): Promise<EngineObjects>;
  /** Removing what is gone succeeds; what is in use rejects with `engine-error` and stays. */
  removeVolume(name: string, signal: AbortSignal): Promise<void>;
  removeNetwork(name: string, signal: AbortSignal): Promise<void>;
}
