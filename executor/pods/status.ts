/**
 * What the executor says about a pod: its status, and the events that lie between two statuses. Pure.
 */
import type { PodEvent, PodPhase, PodStatus, Reason } from "../../protocol/pod.ts";
import { isOver } from "../../protocol/pod.ts";
import { CRASH_LOOP_TRIES, isCrashLoop, isNoted, type RestartPace, restartDelayMs } from "./exits.ts";
import type { NewEvent } from "./ledger.ts";
import { type PortRange, publicPort } from "./ports.ts";
import { goalOf, lackOfGpus, type PhaseInput, phaseOf, type PodRecord } from "./state.ts";

export interface StatusInput extends PhaseInput {
  readonly previous: PodStatus | undefined;
  /** What is in the way now; a record's own failure goes before it. */
  readonly trouble: PodStatus["reason"];
  readonly pull: PodStatus["pull"];
  readonly publicAddress: string;
  readonly ranges: readonly PortRange[];
  /** The container port of our SSH server. */
  readonly sshPort: number;
  readonly restart: RestartPace;
}

export function statusOf(input: StatusInput): PodStatus {
  const { record, previous, nowMs } = input;
  const phase = phaseOf(input);
  const reason = record.failure ?? input.trouble ?? reasonOf(input, phase);
  const unbilledSince = unbilledSinceOf(input, phase);
  const endReason = endReasonOf(record, nowMs);
  const published = record.ports.map((binding) => ({
    ...binding,
    publicPort: publicPort(binding.hostPort, input.ranges),
  }));
  const ssh = published.find((port) => port.containerPort === input.sshPort && port.protocol === "tcp");
  const hostKey = input.seen?.hostKey ?? previous?.ssh?.hostKey;
  const exit = phase === "exited" ? exitOf(input) : undefined;
  return {
    podId: record.wanted.podId,
    revision: record.wanted.revision,
    phase,
    since: previous?.phase === phase ? previous.since : new Date(nowMs).toISOString(),
    ...(reason === undefined ? {} : { reason }),
    ...(endReason === undefined ? {} : { endReason }),
    gpus: record.wanted.gpus,
    ports: published.filter((port) => port !== ssh),
    ...(ssh === undefined || hostKey === undefined || isOver(phase)
      ? {}
      : { ssh: { host: input.publicAddress, port: ssh.publicPort, user: "root", hostKey } }),
    ...(input.pull === undefined || phase !== "pulling" ? {} : { pull: input.pull }),
    ...(exit === undefined ? {} : { exit }),
    ...(unbilledSince === undefined ? {} : { unbilledSince }),
    timelineMs: record.timeline,
  };
}

function endReasonOf(record: PodRecord, nowMs: number): PodStatus["endReason"] {
  if (goalOf(record, nowMs) !== "ended" && record.overAt === undefined) return undefined;
  if (record.failure !== undefined) return "failed";
  return record.wanted.goal === "ended" ? (record.wanted.endReason ?? "requested") : "lease-ended";
}

function exitOf({ record, seen, previous, nowMs, restart }: StatusInput): PodStatus["exit"] {
  const container = seen?.container;
  if (container?.finishedAtMs === undefined) return undefined;
  const at = new Date(container.finishedAtMs).toISOString();
  const exit = { code: container.exitCode, oomKilled: container.oomKilled, at };
  const { lastExit } = record;
  if (lastExit === undefined || !isNoted(record, container)) return exit;
  const delayMs = restartDelayMs(record, container, restart);
  const told = previous?.exit?.at === at ? previous.exit.nextTryAt : undefined;
  const nextTryAt = delayMs === undefined ? undefined : (told ?? new Date(nowMs + delayMs).toISOString());
  const { cause, tries, log } = lastExit;
  return { ...exit, cause, tries, log, ...(nextTryAt === undefined ? {} : { nextTryAt }) };
}

/** Why a pod is as it is, where what is seen says it. */
function reasonOf({ record, seen, ssh, sick }: StatusInput, phase: PodPhase): Reason | undefined {
  if (phase === "exited" && isCrashLoop(record)) {
    const { cause = "", tries = 0, fault = "renter" } = record.lastExit ?? {};
    const whose = fault === "renter" ? "the image or its command" : "this host";
    const message = `The main process ended ${tries} times soon after its start: ${cause}. The fault lies with ${whose}.`;
    return { code: "crash-loop", message, details: { cause, tries, fault } };
  }
  if (phase !== "degraded") return undefined;
  const lack = seen?.container && lackOfGpus(record, seen.container);
  if (lack !== undefined) return { code: "gpu-not-given", message: lack.message };
  if (sick !== undefined) return { code: "gpu-failed", message: sick.message };
  if (seen?.container?.state === "paused") return { code: "paused", message: "Somebody paused the pod on the host." };
  const details = { restarted: record.healedStartMs !== undefined && record.healedStartMs === ssh?.startedAtMs };
  return { code: "ssh-not-ready", message: "The pod runs, but its SSH server does not answer.", details };
}

/** A renter does not pay for what this host broke: from the first probe that failed, or from the exit that was our doing. */
function unbilledSinceOf(
  { record, seen, ssh, sick, previous, nowMs }: StatusInput,
  phase: PodPhase,
): string | undefined {
  if (phase === "exited" && record.lastExit?.fault === "provider" && seen?.container?.finishedAtMs !== undefined) {
    return new Date(seen.container.finishedAtMs).toISOString();
  }
  if (phase !== "degraded") return undefined;
  const lack = seen?.container && lackOfGpus(record, seen.container);
  if (lack !== undefined) return new Date(lack.sinceMs).toISOString();
  const since = Math.min(ssh?.failedAtMs ?? Infinity, sick?.sinceMs ?? Infinity);
  if (since !== Infinity) return new Date(since).toISOString();
  return previous?.unbilledSince ?? new Date(nowMs).toISOString();
}

/** A phase that an event tells about, with its sentence and whose doing it is. Passing phases tell nothing. */
const TOLD: Partial<Record<PodPhase, (status: PodStatus) => Pick<PodEvent, "message" | "fault">>> = {
  pulling: () => ({ message: "The image is being pulled.", fault: "none" }),
  running: () => ({ message: "A renter can log in.", fault: "none" }),
  degraded: (status) => ({ message: status.reason?.message ?? "SSH does not answer.", fault: "provider" }),
  stopped: () => ({ message: "The pod is stopped; its disk is kept.", fault: "none" }),
  exited: (status) => ({
    message: exitSentence(status),
    fault: status.unbilledSince === undefined ? "renter" : "provider",
  }),
  unknown: () => ({
    message: "The container engine does not answer; nothing is concluded from that.",
    fault: "provider",
  }),
  ended: (status) => ({ message: `The pod is over: ${status.endReason ?? "requested"}.`, fault: "none" }),
  failed: (status) => ({ message: status.reason?.message ?? "The pod could not be started.", fault: faultOf(status) }),
};

/** What happened between two statuses of one pod: another phase, or another reason in the same one. */
export function eventsBetween(previous: PodStatus | undefined, next: PodStatus, nowMs: number): NewEvent[] {
  const told = TOLD[next.phase]?.(next);
  const code = codeOf(previous, next);
  if (told === undefined || code === undefined) return [];
  const details = {
    ...(next.phase === "failed" || code !== next.phase ? { reason: next.reason } : {}),
    ...(next.exit === undefined ? {} : { exit: next.exit }),
    ...(next.unbilledSince === undefined ? {} : { unbilledSince: next.unbilledSince }),
  };
  const message = code === next.phase ? told.message : (next.reason?.message ?? told.message);
  const at = new Date(nowMs).toISOString();
  return [
    {
      podId: next.podId,
      at,
      code,
      fault: told.fault,
      message,
      ...(Object.keys(details).length > 0 ? { details } : {}),
    },
  ];
}

function codeOf(previous: PodStatus | undefined, next: PodStatus): string | undefined {
  if (next.phase === "exited") return exitCodeOf(previous, next);
  if (previous?.phase !== next.phase) return next.phase;
  const restarted = next.reason?.details?.["restarted"] === true;
  const told = previous.reason?.details?.["restarted"] === true;
  return next.phase === "degraded" && restarted && !told ? "ssh-restarted" : undefined;
}

/** An exit is an event once it was looked into, so that the event has its cause and the last lines. */
function exitCodeOf(previous: PodStatus | undefined, { exit }: PodStatus): string | undefined {
  if (exit?.tries === undefined) return undefined;
  if (previous?.exit?.tries !== undefined && previous.exit.at === exit.at) return undefined;
  return exit.tries >= CRASH_LOOP_TRIES ? "crash-loop" : "exited";
}

function exitSentence({ exit }: PodStatus): string {
  if (exit === undefined) return "The main process ended.";
  if (exit.oomKilled) return "The main process ran out of memory and was killed.";
  return `The main process ended with exit code ${exit.code}.`;
}

const RENTERS_FAULT = new Set([
  "image-not-found",
  "image-incompatible",
  "secret-unreadable",
  "secret-wrong-host",
  "image-reference-invalid",
]);
const NETWORK_FAULT = new Set(["image-pull-failed", "image-pull-stalled"]);

function faultOf({ reason }: PodStatus): PodEvent["fault"] {
  if (reason === undefined) return "provider";
  if (RENTERS_FAULT.has(reason.code)) return "renter";
  return NETWORK_FAULT.has(reason.code) ? "network" : "provider";
}
