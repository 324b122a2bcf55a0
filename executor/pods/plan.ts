/**
 * The next thing to do for one pod. Pure: the same record and sight give the same step, and from every state that a crash
 * can leave behind, repeating plan and apply reaches the goal. A pod that cannot be seen gets no step.
 */
import type { SeenContainer } from "../docker/runtime.ts";
import { isNoted, type RestartPace, restartDelayMs } from "./exits.ts";
import {
  goalOf,
  hasItsGpus,
  hasRunAsAsked,
  isUnused,
  lackOfGpus,
  nextDeadlineMs,
  type PodRecord,
  type Seen,
  type SshHealth,
} from "./state.ts";

export type Step =
  | "pull"
  | "create"
  | "start"
  | "write-keys"
  | "see-gpus"
  | "probe"
  | "check"
  | "heal"
  | "remake"
  | "examine"
  | "stop"
  | "remove"
  | "end"
  | "release";

/** How often things are done that only time calls for. */
export interface Pace {
  /** Between two looks at the SSH of a pod that runs. */
  readonly probeEveryMs: number;
  readonly restart: RestartPace;
}

export interface PlanInput {
  readonly record: PodRecord;
  readonly seen: Seen;
  readonly ssh: SshHealth | undefined;
  readonly nowMs: number;
  /** On a clock that never jumps: since SSH was last tried, and since the last exit was noted. */
  readonly sinceProbeMs: number;
  readonly sinceExitMs: number;
  readonly pace: Pace;
}

/** A probe that failed once is repeated this much sooner: one lost packet is no outage. */
const SUSPECT_FACTOR = 8;

/** Undefined when the pod is as it should be. */
export function nextStep(input: PlanInput): Step | undefined {
  const { record, seen } = input;
  if (record.overAt !== undefined) return undefined;
  switch (goalOf(record, input.nowMs)) {
    case "ended":
      return towardsEnded(seen);
    case "stopped":
      return towardsStopped(seen);
    case "running":
      return towardsRunning(input);
  }
}

/** How long until time alone may call for a step, in milliseconds; undefined when it will not. */
export function nextStepInMs(input: PlanInput): number | undefined {
  const { record, seen, nowMs } = input;
  const deadlineMs = nextDeadlineMs(record, nowMs);
  const waits = [deadlineMs === undefined ? undefined : deadlineMs - nowMs, waitForTime(input, seen.container)];
  const known = waits.filter((wait) => wait !== undefined);
  return known.length === 0 ? undefined : Math.max(0, Math.min(...known));
}

function waitForTime(input: PlanInput, container: SeenContainer | undefined): number | undefined {
  if (container === undefined || goalOf(input.record, input.nowMs) !== "running") return undefined;
  if (container.state === "running") return probeEveryMs(input) - input.sinceProbeMs;
  if (container.state !== "exited") return undefined;
  const delayMs = restartDelayMs(input.record, container, input.pace.restart);
  return delayMs === undefined ? undefined : delayMs - input.sinceExitMs;
}

function towardsEnded({ container }: Seen): Step {
  return container === undefined ? "release" : "end";
}

function towardsStopped({ container }: Seen): Step | undefined {
  if (container?.state === "removing") return "remove";
  return container?.state === "running" || container?.state === "paused" ? "stop" : undefined;
}

function towardsRunning(input: PlanInput): Step | undefined {
  const { record, seen } = input;
  const { container } = seen;
  if (container === undefined) return seen.image === undefined ? "pull" : "create";
  switch (container.state) {
    case "created":
      return record.rebuilt === true ? undefined : "start";
    case "running":
      if (!hasRunAsAsked(record, container) || container.startedAtMs === undefined) return "stop";
      if (mustSeeGpus(input, container)) return "see-gpus";
      if (!sameKeys(record.wanted.spec.sshKeys, seen.keys)) return "write-keys";
      return keepUsable(input, container.startedAtMs);
    case "exited":
      return afterExit(input, container);
    case "removing":
      return "remove";
    case "paused":
      return undefined;
  }
}

/** Once for each start; what was missing is looked for now and then. */
function mustSeeGpus(input: PlanInput, container: SeenContainer): boolean {
  if (hasItsGpus(input.record, container)) return false;
  return lackOfGpus(input.record, container) === undefined || input.sinceProbeMs >= probeEveryMs(input);
}

/**
 * SSH is proven after each start, looked at now and then, and brought back once when it is lost. An engine that stops while it
 * starts a container may leave it without a network for good: a pod that nobody could log in to yet is then made anew, once.
 */
function keepUsable(input: PlanInput, startedAtMs: number): Step | undefined {
  const { record, ssh, nowMs } = input;
  if (ssh?.startedAtMs !== startedAtMs || ssh.state === "assumed" || ssh.state === "healing") return "probe";
  if (ssh.state === "lost" && record.healedStartMs !== startedAtMs) return "heal";
  if (ssh.state === "lost" && isUnused(record, nowMs) && record.remade === undefined) return "remake";
  return input.sinceProbeMs >= probeEveryMs(input) ? "check" : undefined;
}

function probeEveryMs({ ssh, pace }: PlanInput): number {
  const suspect = ssh?.state === "ready" && ssh.failedAtMs !== undefined;
  return suspect ? pace.probeEveryMs / SUSPECT_FACTOR : pace.probeEveryMs;
}

function afterExit(input: PlanInput, container: SeenContainer): Step | undefined {
  const { record, sinceExitMs, pace } = input;
  if (record.rebuilt === true) return undefined;
  if (!hasRunAsAsked(record, container)) return "start";
  if (!isNoted(record, container)) return "examine";
  const delayMs = restartDelayMs(record, container, pace.restart);
  return delayMs !== undefined && sinceExitMs >= delayMs ? "start" : undefined;
}

function sameKeys(wanted: readonly string[], written: readonly string[] | undefined): boolean {
  return written?.length === wanted.length && wanted.every((key, index) => key === written[index]);
}
