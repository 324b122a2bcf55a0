/**
 * A pod in the executor's eyes: the record (what was promised, on disk) and what is seen of it now (engine and files).
 * The phase is derived from the two and never stored, so it cannot be wrong after a crash.
 *
 *            no image      no container     created        running, no SSH yet
 *   accept ──▶ pulling ──▶ creating ──────▶ starting ────────────┐
 *                                              ▲                 ▼
 *                        start, restart        │   ┌──────── running ◀──▶ degraded   SSH lost, SSH back
 *                     ┌────────────────────────┤   │            │
 *                  stopped ◀── stopping ◀──────┼───┘            ▼ the main process ended by itself
 *                     │           (goal)       └────────────  exited ──▶ starting   as the spec's `restart` says
 *                     ▼                                         │
 *   from any state: ending ──▶ ended   (asked for, lease over)  │
 *                          └─▶ failed  (could not be made to run the first time)
 *   The engine does not answer: unknown, whatever came before; nothing is done or concluded.
 */
import { z } from "zod";

import { Instant } from "../../protocol/ids.ts";
import { type PodPhase, type PodStatus, PortRequest, Reason, Timeline, WantedPod } from "../../protocol/pod.ts";
import type { ImageInfo, SeenContainer } from "../docker/runtime.ts";
import type { Sickness } from "../gpus/health/words.ts";
import { PodNetwork } from "../isolation/slots.ts";

/** A port of the pod and the host's port that it is published on. */
export const PortBinding = z.strictObject({ ...PortRequest.shape, hostPort: z.int().min(1).max(65_535) });
export type PortBinding = z.infer<typeof PortBinding>;

/** How the main process ended the last time that it ended by itself. Instants are the engine's. */
export const LastExit = z.strictObject({
  finishedAtMs: z.number(),
  /** The `runs` of the wish that it belonged to: a new request counts its tries from 1. */
  run: z.int(),
  /** How often in a row it ended soon after its start. */
  tries: z.int().positive(),
  cause: z.string(),
  fault: z.enum(["renter", "provider"]),
  log: z.array(z.string()),
});
export type LastExit = z.infer<typeof LastExit>;

/** The device files that a container was given with its GPUs. Starts are the engine's instants. */
const GivenDevices = z.strictObject({
  /** In the pod. */
  nodes: z.array(z.string()),
  /** The start in which all were seen to be there. */
  seenStartMs: z.number().optional(),
  /** The start in which they were not, since when on this host's clock, and what was wrong. */
  lack: z.strictObject({ startedAtMs: z.number(), sinceMs: z.number(), message: z.string() }).optional(),
});
export type GivenDevices = z.infer<typeof GivenDevices>;

/** What was promised for a pod. Instants are this host's clock in milliseconds. */
export const PodRecord = z.strictObject({
  wanted: WantedPod,
  acceptedAtMs: z.number(),
  /** The newest start of the main process that we know of, and the `runs` that it answered. */
  lastStart: z.strictObject({ run: z.int(), startedAtMs: z.number() }).optional(),
  ports: z.array(PortBinding),
  /** Absent in pods that were made before each had its own. */
  network: PodNetwork.optional(),
  lastExit: LastExit.optional(),
  /**
   * Made of a container's labels, which say what was wished when it was created. What runs is kept running; what does not
   * may have been stopped on purpose since, and is started only when a wish says so.
   */
  rebuilt: z.literal(true).optional(),
  /** The start whose SSH was brought back once; a second time for the same start helps nobody. */
  healedStartMs: z.number().optional(),
  /** Its container was made anew, because nobody could log in to the first one. */
  remade: z.literal(true).optional(),
  /** Absent where it has no GPUs, or only made-up ones. */
  given: GivenDevices.optional(),
  /** Why the pod cannot be made to run; set once, before its first start, and the pod is taken down. */
  failure: Reason.optional(),
  /** Stages of the first start, in milliseconds since acceptedAtMs. */
  timeline: Timeline,
  /** Set when nothing of the pod is left on this host. */
  overAt: Instant.optional(),
});
export type PodRecord = z.infer<typeof PodRecord>;

export interface Seen {
  readonly container: SeenContainer | undefined;
  /** Looked up only while there is no container. */
  readonly image: ImageInfo | undefined;
  /** Lines of the authorized_keys file; undefined when there is none. */
  readonly keys: readonly string[] | undefined;
  /** The public line of the pod's SSH host key; undefined before its files are written. */
  readonly hostKey: string | undefined;
}

/** How SSH does for one run of the main process. */
export interface SshHealth {
  /** The start that this is about: a later start has to prove itself anew. */
  readonly startedAtMs: number;
  /**
   * `assumed`: it was ready before the executor restarted, and is being probed again.
   * `healing`: it was lost, was started anew, and is being probed again.
   */
  readonly state: "ready" | "assumed" | "lost" | "healing";
  /** When the first of the probes failed that have been failing since; undefined while SSH answers. */
  readonly failedAtMs?: number;
}

export type Goal = "running" | "stopped" | "ended";

/** What should be at this moment: the wish, cut short by a failure or by the end of the lease. */
export function goalOf(record: PodRecord, nowMs: number): Goal {
  if (record.failure !== undefined || record.wanted.goal === "ended") return "ended";
  const { expiresAt, graceSeconds } = record.wanted.spec.lease;
  const expiresAtMs = Date.parse(expiresAt);
  if (nowMs >= expiresAtMs + graceSeconds * 1000) return "ended";
  if (nowMs >= expiresAtMs) return "stopped";
  return record.wanted.goal;
}

/** When time alone will change the goal next, or undefined. */
export function nextDeadlineMs(record: PodRecord, nowMs: number): number | undefined {
  if (record.overAt !== undefined) return undefined;
  const { expiresAt, graceSeconds } = record.wanted.spec.lease;
  return [Date.parse(expiresAt), Date.parse(expiresAt) + graceSeconds * 1000].find((at) => at > nowMs);
}

/**
 * Whether the newest request to run has been answered by a start of the main process. A start that we do not know of came
 * after the last one that we recorded, so it answers the request: a crash between starting and recording it does no harm.
 * Instants are compared for equality only, so a clock that jumps cannot restart a pod.
 */
export function hasRunAsAsked(record: PodRecord, container: SeenContainer): boolean {
  if (container.startedAtMs === undefined) return false;
  const { lastStart } = record;
  return lastStart?.startedAtMs !== container.startedAtMs || lastStart.run >= record.wanted.runs;
}

/** The record with the start that is seen now, or the same record when it is known. */
export function withSeenStart(record: PodRecord, container: SeenContainer | undefined): PodRecord {
  if (container?.startedAtMs === undefined || record.lastStart?.startedAtMs === container.startedAtMs) return record;
  // A wish that comes for a pod that was rebuilt and is down asks for a new start.
  const run = record.rebuilt === true && container.state === "exited" ? 0 : record.wanted.runs;
  return { ...record, lastStart: { run, startedAtMs: container.startedAtMs } };
}

/** Later than this the pod's own command may have made something that is worth more than a login. Our own choice. */
const UNUSED_MS = 10 * 60_000;

/** Whether nothing worth keeping can be in its container: we saw it made a short while ago, and nobody could log in since. */
export function isUnused({ acceptedAtMs, timeline: { created, sshReady } }: PodRecord, nowMs: number): boolean {
  return created !== undefined && sshReady === undefined && nowMs < acceptedAtMs + created + UNUSED_MS;
}

/** Whether this start of the main process has been seen to have its GPUs, where it is to have any. */
export function hasItsGpus({ given }: PodRecord, { startedAtMs }: SeenContainer): boolean {
  return given === undefined || (startedAtMs !== undefined && given.seenStartMs === startedAtMs);
}

/** What this start of the main process was seen to lack of its GPUs. */
export function lackOfGpus({ given }: PodRecord, { startedAtMs }: SeenContainer): GivenDevices["lack"] {
  return given?.lack?.startedAtMs === startedAtMs ? given?.lack : undefined;
}

export interface PhaseInput {
  readonly record: PodRecord;
  /** Undefined while the engine does not answer. */
  readonly seen: Seen | undefined;
  readonly ssh: SshHealth | undefined;
  /** What keeps one of its GPUs from working. */
  readonly sick?: Sickness | undefined;
  readonly nowMs: number;
}

export function phaseOf(input: PhaseInput): PodPhase {
  const { record, seen, nowMs } = input;
  if (record.overAt !== undefined) return record.failure === undefined ? "ended" : "failed";
  if (seen === undefined) return "unknown";
  const goal = goalOf(record, nowMs);
  if (goal === "ended") return "ending";
  const { container } = seen;
  if (goal === "stopped")
    return container?.state === "running" || container?.state === "paused" ? "stopping" : "stopped";
  if (container === undefined) return seen.image === undefined ? "pulling" : "creating";
  return runningPhase(container, input);
}

function runningPhase(container: SeenContainer, { record, ssh, sick }: PhaseInput): PodPhase {
  switch (container.state) {
    case "created":
      return "starting";
    case "running":
      if (!hasRunAsAsked(record, container)) return "stopping";
      if (!hasItsGpus(record, container)) return lackOfGpus(record, container) === undefined ? "starting" : "degraded";
      if (ssh === undefined || ssh.startedAtMs !== container.startedAtMs) return "starting";
      return ssh.state === "lost" || ssh.state === "healing" || sick !== undefined ? "degraded" : "running";
    case "paused":
      return "degraded";
    case "exited":
      return hasRunAsAsked(record, container) || record.rebuilt === true ? "exited" : "starting";
    case "removing":
      return "creating";
  }
}

/** What the executor knew of SSH before it restarted. */
export function sshBefore(record: PodRecord, previousStatus: PodStatus | undefined): SshHealth | undefined {
  const startedAtMs = record.lastStart?.startedAtMs;
  if (startedAtMs === undefined) return undefined;
  if (previousStatus?.phase === "running") return { startedAtMs, state: "assumed" };
  if (previousStatus?.phase !== "degraded" || previousStatus.unbilledSince === undefined) return undefined;
  const { code } = previousStatus.reason ?? {};
  if (code === "gpu-not-given") return undefined;
  if (code === "gpu-failed") return { startedAtMs, state: "assumed" };
  return { startedAtMs, state: "lost", failedAtMs: Date.parse(previousStatus.unbilledSince) };
}
