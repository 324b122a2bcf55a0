/**
 * Enough of the pods to tell what on this host belongs to none of them. Pure. A pod whose record is damaged counts as live.
 */
import type { GpuUuid, PodId } from "../../protocol/ids.ts";
import type { Known } from "../strays/decide.ts";
import { claimsOf } from "./claims.ts";
import type { PodRecord } from "./state.ts";

export interface KnownPods extends Pick<Known, "podState" | "networks"> {
  /** Who holds which GPU; undefined while the record of a pod is damaged, for then nobody can tell. */
  readonly holders: ReadonlyMap<GpuUuid, PodId> | undefined;
}

export function knownPods(records: readonly PodRecord[], damaged: ReadonlySet<string>): KnownPods {
  const byId = new Map<PodId, PodRecord>(records.map((record) => [record.wanted.podId, record]));
  const live = records.filter(({ overAt }) => overAt === undefined);
  return {
    podState: (podId) => {
      const record = byId.get(podId);
      if (damaged.has(podId)) return "live";
      if (record === undefined) return "unknown";
      return record.overAt === undefined ? "live" : "over";
    },
    holders: damaged.size > 0 ? undefined : claimsOf(live).gpus,
    networks: new Set(live.flatMap(({ network }) => network?.name ?? [])),
  };
}
