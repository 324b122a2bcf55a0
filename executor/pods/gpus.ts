/**
 * The GPUs of one pod: what its container is given for them, and what the record keeps of that.
 */
import type { Grant } from "../gpus/passthrough/grant.ts";
import type { PodRecord } from "./state.ts";
import type { StepDeps } from "./step-deps.ts";

/** Undefined for a pod without real GPUs. Rejects with `gpu-not-given`. */
export async function grantFor(
  { wanted: { gpus } }: PodRecord,
  { passthrough }: Pick<StepDeps, "passthrough">,
  signal: AbortSignal,
): Promise<Grant | undefined> {
  return gpus.length === 0 ? undefined : passthrough.give(gpus, signal);
}

/** No start of an earlier container counts for the one that is made with this grant. */
export function withGrant(record: PodRecord, grant: Grant | undefined): PodRecord {
  return grant === undefined ? record : { ...record, given: { nodes: [...grant.nodes] } };
}
