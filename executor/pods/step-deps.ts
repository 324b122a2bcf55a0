/**
 * What steps work with: what is known of the pod, and the ports to everything outside.
 */
import type { Clock } from "../../common/clock.ts";
import type { Logger } from "../../common/logger.ts";
import type { SealingKeyPair } from "../../common/sealed-box.ts";
import type { PodStatus } from "../../protocol/pod.ts";
import type { ContainerRuntime } from "../docker/runtime.ts";
import type { GpuHealth } from "../gpus/health/engine.ts";
import type { Passthrough } from "../gpus/passthrough/passthrough.ts";
import type { Images } from "../images/images.ts";
import type { Isolation } from "../isolation/isolation.ts";
import type { PodNetworks } from "../isolation/networks.ts";
import type { PodDirs } from "../ssh/pod-kit.ts";
import type { RootQuota } from "../storage/quota.ts";
import type { Volumes } from "../storage/volumes/volumes.ts";
import type { EndingDeps } from "./ending.ts";
import type { PodRecord, Seen, SshHealth } from "./state.ts";

/** Everything known about a pod between two steps. */
export interface Turn {
  readonly record: PodRecord;
  readonly seen: Seen;
  readonly ssh: SshHealth | undefined;
}

/** What keeps a pod apart from this host and from others. */
export interface PodIsolation extends Pick<Isolation, "check" | "settings" | "podRoot"> {
  readonly networks: Pick<PodNetworks, "choose" | "ensure" | "attach" | "keepSpares">;
}

export interface StepDeps {
  readonly runtime: ContainerRuntime;
  readonly images: Pick<Images, "local" | "ensure">;
  readonly passthrough: Pick<Passthrough, "give">;
  /** What keeps one of these GPUs from working. */
  readonly sicknessOf: GpuHealth["sicknessOf"];
  readonly isolation: PodIsolation;
  readonly volumes: Pick<Volumes, "attach" | "detach" | "hostPathOf">;
  /** Whether the engine can limit a pod's own disk. */
  readonly quota: RootQuota;
  /** What ends containers, also those that the engine cannot end. */
  readonly ending: Pick<EndingDeps, "engine" | "processes" | "clock">;
  readonly clock: Clock;
  readonly log: Logger;
  readonly sealingKey: SealingKeyPair;
  readonly dirsOf: (record: PodRecord) => PodDirs;
  readonly bindAddress: string;
  /** This executor's public key. */
  readonly host: string;
  /** Where the probe reaches published ports. */
  readonly probeAddress: string;
  readonly limits: StepLimits;
  /** Whether the engine or the machine went away around an instant and may have ended a process. */
  readonly hostWentDownAround: (atMs: number) => boolean;
}

export interface StepLimits {
  readonly probeMs: number;
  readonly stopGraceSeconds: number;
}

export interface StepContext {
  readonly deps: StepDeps;
  readonly signal: AbortSignal;
  readonly onPull: (progress: NonNullable<PodStatus["pull"]>) => void;
}
