/**
 * The next thing to do for one pod. Pure: the same record and sight give the same step, and from every state that a crash
 * can leave behind, repeating plan and apply reaches the goal. A pod that cannot be seen gets no step.
 */
import { goalOf, hasRunAsAsked, type PodRecord, type Seen, type SshHealth } from "./state.ts";

export type Step = "pull" | "create" | "start" | "write-keys" | "probe" | "stop" | "remove" | "release";

export interface PlanInput {
  readonly record: PodRecord;
  readonly seen: Seen;
  readonly ssh: SshHealth | undefined;
  readonly nowMs: number;
}

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

function towardsEnded({ container }: Seen): Step {
  if (container === undefined) return "release";
  return container.state === "running" ? "stop" : "remove";
}

function towardsStopped({ container }: Seen): Step | undefined {
  if (container?.state === "removing") return "remove";
  return container?.state === "running" || container?.state === "paused" ? "stop" : undefined;
}

function towardsRunning({ record, seen, ssh }: PlanInput): Step | undefined {
  const { container } = seen;
  if (container === undefined) return seen.image === undefined ? "pull" : "create";
  switch (container.state) {
    case "created":
      return "start";
    case "running": {
      if (!hasRunAsAsked(record, container) || container.startedAtMs === undefined) return "stop";
      if (!sameKeys(record.wanted.spec.sshKeys, seen.keys)) return "write-keys";
      const proven = ssh?.startedAtMs === container.startedAtMs && ssh.state === "ready";
      return proven ? undefined : "probe";
    }
    case "exited":
      return hasRunAsAsked(record, container) ? undefined : "start";
    case "removing":
      return "remove";
    case "paused":
      return undefined;
  }
}

function sameKeys(wanted: readonly string[], written: readonly string[] | undefined): boolean {
  return written?.length === wanted.length && wanted.every((key, index) => key === written[index]);
}
