/**
 * What an executor tells the agent of its accelerators: everything when the agent asks, then what became different. Each
 * report has a cursor and names the one it builds on; where that is not the one the agent has, the agent asks for everything
 * again and believes nothing of it. All of it is bounded, so that a report always fits a frame. Pure.
 */
import { isDeepStrictEqual } from "node:util";

import { z } from "zod";

import { Accelerator, Accelerators, GpuPair, SourceState } from "./accelerator.ts";
import { GpuUuid, Instant, PodId } from "./ids.ts";

/** Of one host. Devices beyond it are not told of, in the order of their UUIDs. */
export const MAX_DEVICES = 32;
/** Of each list that a device has; the largest that is known is 18 links. */
const MAX_ITEMS = 32;
const MAX_PARTS = 16;
const MAX_NODES_OF_PART = 4;
const MAX_PAIRS = (MAX_DEVICES * (MAX_DEVICES - 1)) / 2;
const MAX_HOLDERS = 1_024;

/** A device, or a part of one, and the pod that has it. */
export const GpuHolder = z.strictObject({ uuid: GpuUuid, podId: PodId });
export type GpuHolder = z.infer<typeof GpuHolder>;

const lists = {
  gpus: z.array(Accelerator).max(MAX_DEVICES),
  pairs: z.array(GpuPair).max(MAX_PAIRS),
  sources: z.array(SourceState).max(MAX_ITEMS),
  holders: z.array(GpuHolder).max(MAX_HOLDERS),
};

/** Devices, pairs and holders in the order of their UUIDs. */
export const GpuState = Accelerators.extend(lists);
export type GpuState = z.infer<typeof GpuState>;

/** `gpus`: those that are new or changed. Lists that are left out are as before. */
export const GpuDiff = z.strictObject({
  at: Instant,
  gpus: lists.gpus,
  removed: z.array(GpuUuid).max(MAX_DEVICES),
  pairs: lists.pairs.optional(),
  sources: lists.sources.optional(),
  holders: lists.holders.optional(),
});
export type GpuDiff = z.infer<typeof GpuDiff>;

export const GpuCursor = z.string().min(1).max(64);

export const GpuReport = GpuDiff.extend({
  cursor: GpuCursor,
  /** What it builds on; nothing where it is everything. */
  after: GpuCursor.optional(),
});
export type GpuReport = z.infer<typeof GpuReport>;

export const NO_GPUS: GpuState = { at: new Date(0).toISOString(), gpus: [], pairs: [], sources: [], holders: [] };

/** The state to tell: in order, bounded, and without how long sources took, which is never twice the same. */
export function gpuStateOf({ at, gpus, pairs, sources }: Accelerators, holders: readonly GpuHolder[]): GpuState {
  const told = gpus.toSorted((a, b) => order(a.uuid, b.uuid)).slice(0, MAX_DEVICES);
  const names = new Set(told.map(({ uuid }) => uuid));
  return {
    at,
    gpus: told.map(bounded),
    pairs: pairs
      .filter(({ a, b }) => names.has(a) && names.has(b))
      .toSorted((one, other) => order(one.a, other.a) || order(one.b, other.b))
      .slice(0, MAX_PAIRS),
    sources: sources.slice(0, MAX_ITEMS).map(({ tookMs: _tookMs, ...source }) => source),
    holders: holders
      .toSorted((a, b) => order(a.uuid, b.uuid) || order(a.podId, b.podId))
      .slice(0, MAX_HOLDERS)
      .map(({ uuid, podId }) => ({ uuid, podId })),
  };
}

function bounded(gpu: Accelerator): Accelerator {
  const { health, fabricLinks, processes, partitions, nodes, sources } = gpu;
  return {
    ...gpu,
    health: { ...health, reasons: health.reasons.slice(0, MAX_ITEMS) },
    fabricLinks: Array.isArray(fabricLinks) ? fabricLinks.slice(0, MAX_ITEMS) : fabricLinks,
    processes: Array.isArray(processes) ? processes.slice(0, MAX_ITEMS) : processes,
    partitions: partitions
      .slice(0, MAX_PARTS)
      .map((part) => ({ ...part, nodes: part.nodes.slice(0, MAX_NODES_OF_PART) })),
    nodes: nodes.slice(0, MAX_ITEMS),
    sources: sources.slice(0, MAX_ITEMS),
  };
}

/** What has to be said to lead from one state to the other. */
export function gpuDiff(from: GpuState, to: GpuState): GpuDiff {
  const before = new Map(from.gpus.map((gpu) => [gpu.uuid, gpu]));
  const now = new Set(to.gpus.map(({ uuid }) => uuid));
  return {
    at: to.at,
    gpus: to.gpus.filter((gpu) => !isDeepStrictEqual(before.get(gpu.uuid), gpu)),
    removed: from.gpus.flatMap(({ uuid }) => (now.has(uuid) ? [] : [uuid])),
    ...(isDeepStrictEqual(from.pairs, to.pairs) ? {} : { pairs: to.pairs }),
    ...(isDeepStrictEqual(from.sources, to.sources) ? {} : { sources: to.sources }),
    ...(isDeepStrictEqual(from.holders, to.holders) ? {} : { holders: to.holders }),
  };
}

export function applyGpuDiff(from: GpuState, diff: GpuDiff): GpuState {
  const { at, gpus, removed, pairs = from.pairs, sources = from.sources, holders = from.holders } = diff;
  const replaced = new Set([...removed, ...gpus.map(({ uuid }) => uuid)]);
  const all = [...from.gpus.filter(({ uuid }) => !replaced.has(uuid)), ...gpus];
  return { at, gpus: all.toSorted((a, b) => order(a.uuid, b.uuid)), pairs, sources, holders };
}

/** A state, and the report with which it was complete. */
export interface HeldGpus {
  readonly cursor: string;
  readonly state: GpuState;
}

/** Undefined for a report that builds on something else than what is held: everything has to be asked for. */
export function takeGpuReport(held: HeldGpus | undefined, report: GpuReport): HeldGpus | undefined {
  const { cursor, after, ...diff } = report;
  if (after === undefined) return { cursor, state: applyGpuDiff(NO_GPUS, diff) };
  return held?.cursor === after ? { cursor, state: applyGpuDiff(held.state, diff) } : undefined;
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
