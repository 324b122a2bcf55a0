/**
 * Enough of the pods to tell what on this host belongs to none of them. Pure. A pod whose record is damaged counts as live.
 */
import type { PodId } from "../../protocol/ids.ts";
import type { Known } from "../strays/decide.ts";
import type { PodRecord } from "./state.ts";

export type KnownPods = Pick<Known, "podState" | "networks">;

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
    networks: new Set(live.flatMap(({ network }) => network?.name ?? [])),
  };
}
