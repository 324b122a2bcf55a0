/**
 * What was found of accelerators together with what the health engine has concluded. Pure.
 */
import type { Accelerators, HealthReason } from "../../../protocol/accelerator.ts";
import type { GpuUuid } from "../../../protocol/ids.ts";
import { healthOf } from "../merge.ts";

/** By device; more reasons, or the same ones in other words. */
export type Judgement = ReadonlyMap<GpuUuid, readonly HealthReason[]>;

/** Of one code what was found counts, but whoever fences goes first. */
export function judged(found: Accelerators, judgement: Judgement): Accelerators {
  if (judgement.size === 0) return found;
  const gpus = found.gpus.map((gpu) => {
    const more = judgement.get(gpu.uuid) ?? [];
    if (more.length === 0) return gpu;
    const reasons = [...gpu.health.reasons, ...more].toSorted((a, b) => Number(b.fence) - Number(a.fence));
    return { ...gpu, health: healthOf(reasons) };
  });
  return { ...found, gpus };
}
