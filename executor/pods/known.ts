/**
 * Enough of the pods to tell what on this host belongs to none of them. Pure. A pod whose record is damaged counts as live.
 */
import type { GpuUuid, PodId } from "../../protocol/ids.ts";
import type { Known } from "../strays/decide.ts";
import { claimsOf, subnetsOf } from "./claims.ts";
import type { PodRecord } from "./state.ts";

export interface KnownPods extends Pick<Known, "podState" | "networks"> {
  /** Who holds which GPU; undefined while the record of a pod is damaged, for then nobody can tell. */
  readonly holders: ReadonlyMap<GpuUuid, PodId> | undefined;
  /** Which pod had one of these at an instant, by this host's clock; undefined where none had, or several had. */
  readonly holderAt: (units: readonly GpuUuid[], atMs: number) => PodId | undefined;
  /** How many pods are not over. */
  readonly live: number;
  /** Ranges of addresses that they hold. */
  readonly subnets: readonly string[];
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
    holderAt: (units, atMs) => {
      const [one, ...more] = records.filter((record) => hadAt(record, units, atMs));
      return more.length > 0 ? undefined : one?.wanted.podId;
    },
    live: live.length + damaged.size,
    subnets: subnetsOf(live),
    networks: new Set(live.flatMap(({ network }) => network?.name ?? [])),
  };
}

/** A claim begins when the pod is accepted, and ends when nothing of it is left. */
function hadAt({ wanted, acceptedAtMs, overAt }: PodRecord, units: readonly GpuUuid[], atMs: number): boolean {
  const hasOne = wanted.gpus.some((gpu) => units.includes(gpu));
  return hasOne && acceptedAtMs <= atMs && (overAt === undefined || atMs <= Date.parse(overAt));
}
