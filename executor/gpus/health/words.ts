/**
 * What the health engine is told of pods, and what it tells of GPUs.
 */
import type { GpuFence, GpuIncident, GpuRemedy } from "../../../protocol/gpu-incident.ts";
import type { GpuUuid, PodId } from "../../../protocol/ids.ts";
import type { HolderAt } from "./assess.ts";

/** What pods are there, once that is known. */
export interface PodsForHealth {
  /** Who holds which GPU; undefined while nobody can tell. */
  readonly holders: ReadonlyMap<GpuUuid, PodId> | undefined;
  readonly holderAt: HolderAt;
  /** How many pods are on this host. */
  readonly live: number;
}

/** What a pod that has a sick GPU is told. */
export interface Sickness {
  readonly message: string;
  readonly sinceMs: number;
}

export interface HealthReport {
  readonly incidents: readonly GpuIncident[];
  readonly fences: readonly (GpuFence & { readonly waiting?: string })[];
  readonly remedies: readonly GpuRemedy[];
  /** Why nothing but tests is done now. */
  readonly forbidden?: string;
}
