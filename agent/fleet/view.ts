/**
 * What callers see of a pod and of a host, and whether waiting for a phase makes sense any longer. Pure.
 */
import type { Gpu } from "../../protocol/gpu.ts";
import type { GpuUuid } from "../../protocol/ids.ts";
import type { HostView } from "../../protocol/operator-api.ts";
import type { PodPhase, PodStatus, PodView, Timeline, WantedPod } from "../../protocol/pod.ts";
import { isOver } from "../../protocol/pod.ts";
import type { PodRecord } from "../store/records.ts";
import { freeOn, hasEnded, type Host, NOTHING_FREE } from "./host.ts";
import type { Candidate } from "./placement.ts";

/** The phases of a start, in their order. */
const LAUNCH: readonly PodPhase[] = ["pending", "pulling", "creating", "starting", "running"];

/** `live` says whether the host is connected and has told its pods. */
export function viewOf(pod: PodRecord, live: boolean): PodView {
  const { wanted, hostId, createdAt, claimed } = pod;
  const { podId, owner, goal, spec } = wanted;
  return { podId, owner, hostId, createdAt, goal, claimed, live, spec, status: statusOf(pod, live) };
}

/** A host that is connected is seen `now`. */
export function hostViewOf({ record, connected }: Host, pods: readonly PodRecord[], now: string): HostView {
  const { hostId, name, enrolledAt, facts } = record;
  const lastSeenAt = connected ? now : record.lastSeenAt;
  return {
    hostId,
    name,
    connected,
    enrolledAt,
    ...(lastSeenAt === undefined ? {} : { lastSeenAt }),
    ...(facts === undefined ? {} : { facts }),
    pods: pods.filter((pod) => !hasEnded(pod)).length,
  };
}

/** What is kept from new pods although the host has it. */
export interface Withheld {
  /** Whole devices or parts. */
  readonly fenced: ReadonlySet<GpuUuid>;
  /** Everything that is free. */
  readonly maintenance: boolean;
  /** Whole devices or parts that are shown and not free; none when left out. */
  readonly reserved?: ReadonlySet<GpuUuid>;
}

/** A host as placement sees it. Fenced GPUs are left out, and simulated ones unless they are allowed. */
export function candidateOf(
  host: Host,
  pods: readonly PodRecord[],
  allowSimulated: boolean,
  { fenced, maintenance, reserved = new Set() }: Withheld = { fenced: new Set(), maintenance: false },
): Candidate {
  const { hostId, facts } = host.record;
  if (!host.ready || facts === undefined) return { hostId };
  const gpus = facts.gpus.filter((gpu) => (allowSimulated || !gpu.simulated) && !isAmong(gpu, fenced));
  const offered = { ...facts, gpus };
  const free = maintenance ? NOTHING_FREE : freeOn(offered, pods);
  const open = { ...free, gpus: free.gpus.filter((gpu) => !isAmong(gpu, reserved)) };
  return { hostId, offer: { facts: offered, free: open } };
}

/** Itself, or the device that it is a part of. */
function isAmong({ uuid, partition }: Gpu, units: ReadonlySet<GpuUuid>): boolean {
  return units.has(uuid) || units.has(partition?.parent ?? uuid);
}

/** Whether the pod is known to be in this phase, or cannot come to it without a new request. */
export function isSettled(pod: PodRecord, live: boolean, phase: PodPhase): boolean {
  const { wanted, status } = pod;
  if (hasEnded(pod)) return true;
  if (!live) return false;
  if (status === undefined) return phase === "pending";
  if (status.revision < wanted.revision) return false;
  if (status.phase === phase) return true;
  return isBehind(phase, status.phase, wanted.goal);
}

/** Whether a pod that is in phase `now` cannot come to `phase` by itself. */
function isBehind(phase: PodPhase, now: PodPhase, goal: WantedPod["goal"]): boolean {
  const needsStart = LAUNCH.includes(phase) || phase === "degraded";
  switch (now) {
    case "ending":
      return phase !== "ended" && phase !== "failed";
    case "stopped":
    case "exited":
      return needsStart;
    case "stopping":
      return needsStart && goal !== "running";
    case "degraded":
      return needsStart && phase !== "running";
    case "pending":
    case "pulling":
    case "creating":
    case "starting":
    case "running":
      return LAUNCH.includes(phase) && LAUNCH.indexOf(phase) < LAUNCH.indexOf(now);
    case "ended":
    case "failed":
      return true;
    case "unknown":
      return false;
  }
}

function statusOf(pod: PodRecord, live: boolean): PodStatus {
  const { wanted, status, acceptedMs } = pod;
  const known = status ?? {
    podId: wanted.podId,
    revision: 0,
    phase: "pending",
    since: pod.createdAt,
    gpus: wanted.gpus,
    ports: [],
    timelineMs: {},
  };
  const phase = live || isOver(known.phase) ? known.phase : "unknown";
  return { ...known, phase, timelineMs: timelineOf(known.timelineMs, acceptedMs) };
}

/** The host counts from the moment at which it heard of the pod; callers count from their request. */
function timelineOf(host: Timeline, acceptedMs: number): Timeline {
  const { pulled, created, started, sshReady } = host;
  const stages = Object.entries({ pulled, created, started, sshReady });
  const reached = stages.flatMap(([name, ms]) => (ms === undefined ? [] : [[name, rounded(acceptedMs + ms)] as const]));
  return { accepted: rounded(acceptedMs), ...Object.fromEntries(reached) };
}

/** To a tenth of a millisecond. */
function rounded(ms: number): number {
  return Math.round(ms * 10) / 10;
}
