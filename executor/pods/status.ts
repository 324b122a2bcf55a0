/**
 * What the executor says about a pod: its status, and the events that lie between two statuses. Pure.
 */
import type { PodEvent, PodPhase, PodStatus } from "../../protocol/pod.ts";
import { isOver } from "../../protocol/pod.ts";
import type { NewEvent } from "./ledger.ts";
import { type PortRange, publicPort } from "./ports.ts";
import { goalOf, type PhaseInput, phaseOf, type PodRecord, type Seen } from "./state.ts";

export interface StatusInput extends PhaseInput {
  readonly previous: PodStatus | undefined;
  /** What is in the way now; a record's own failure goes before it. */
  readonly trouble: PodStatus["reason"];
  readonly pull: PodStatus["pull"];
  readonly publicAddress: string;
  readonly ranges: readonly PortRange[];
  /** The container port of our SSH server. */
  readonly sshPort: number;
}

export function statusOf(input: StatusInput): PodStatus {
  const { record, previous, nowMs } = input;
  const phase = phaseOf(input);
  const reason = record.failure ?? input.trouble;
  const endReason = endReasonOf(record, nowMs);
  const published = record.ports.map((binding) => ({
    ...binding,
    publicPort: publicPort(binding.hostPort, input.ranges),
  }));
  const ssh = published.find((port) => port.containerPort === input.sshPort && port.protocol === "tcp");
  const hostKey = input.seen?.hostKey ?? previous?.ssh?.hostKey;
  const exit = phase === "exited" ? exitOf(input.seen) : undefined;
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
    timelineMs: record.timeline,
  };
}

function endReasonOf(record: PodRecord, nowMs: number): PodStatus["endReason"] {
  if (goalOf(record, nowMs) !== "ended" && record.overAt === undefined) return undefined;
  if (record.failure !== undefined) return "failed";
  return record.wanted.goal === "ended" ? (record.wanted.endReason ?? "requested") : "lease-ended";
}

function exitOf(seen: Seen | undefined): PodStatus["exit"] {
  const container = seen?.container;
  if (container?.finishedAtMs === undefined) return undefined;
  return {
    code: container.exitCode,
    oomKilled: container.oomKilled,
    at: new Date(container.finishedAtMs).toISOString(),
  };
}

/** A phase that an event tells about, with its sentence and whose doing it is. Passing phases tell nothing. */
const TOLD: Partial<Record<PodPhase, (status: PodStatus) => Pick<PodEvent, "message" | "fault">>> = {
  pulling: () => ({ message: "The image is being pulled.", fault: "none" }),
  running: () => ({ message: "A renter can log in.", fault: "none" }),
  degraded: (status) => ({ message: status.reason?.message ?? "SSH does not answer.", fault: "provider" }),
  stopped: () => ({ message: "The pod is stopped; its disk is kept.", fault: "none" }),
  exited: (status) => ({ message: exitSentence(status), fault: "renter" }),
  unknown: () => ({
    message: "The container engine does not answer; nothing is concluded from that.",
    fault: "provider",
  }),
  ended: (status) => ({ message: `The pod is over: ${status.endReason ?? "requested"}.`, fault: "none" }),
  failed: (status) => ({ message: status.reason?.message ?? "The pod could not be started.", fault: faultOf(status) }),
};

/** What happened between two statuses of one pod. */
export function eventsBetween(previous: PodStatus | undefined, next: PodStatus, nowMs: number): NewEvent[] {
  if (previous?.phase === next.phase) return [];
  const told = TOLD[next.phase]?.(next);
  if (told === undefined) return [];
  const details = next.phase === "failed" && next.reason !== undefined ? { details: { reason: next.reason } } : {};
  const exit = next.exit === undefined ? {} : { details: { exit: next.exit } };
  return [{ podId: next.podId, at: new Date(nowMs).toISOString(), code: next.phase, ...told, ...details, ...exit }];
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
