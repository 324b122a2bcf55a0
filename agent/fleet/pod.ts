/**
 * How a wish for a pod changes. Pure: a change gives a new wish with the next revision, or the same object when all of
 * it holds already, so that repeating a request is harmless.
 */
import { AppError } from "../../protocol/errors.ts";
import type { Lease, WantedPod } from "../../protocol/pod.ts";
import { parseSshKey } from "../../protocol/ssh-key.ts";
import type { PodRecord } from "../store/records.ts";
import { hasEnded } from "./host.ts";
import type { PodChange } from "./use-cases.ts";

const MAX_SSH_KEYS = 64;

/** Throws `pod-ended`, `lease-expired`, `ssh-key-invalid`, or `invalid-request` for one key too many. */
export function changeWanted(pod: PodRecord, change: PodChange, nowMs: number): WantedPod {
  const { wanted } = pod;
  const ended = wanted.goal === "ended" || hasEnded(pod);
  if (change.do === "terminate") {
    return ended ? wanted : next(wanted, { goal: "ended", endReason: change.reason });
  }
  if (ended) throw new AppError("pod-ended");
  switch (change.do) {
    case "stop":
      return wanted.goal === "stopped" ? wanted : next(wanted, { goal: "stopped" });
    case "start":
      checkLease(wanted.spec.lease, nowMs);
      return isUpOrComing(pod) ? wanted : next(wanted, { goal: "running", runs: wanted.runs + 1 });
    case "restart":
      checkLease(wanted.spec.lease, nowMs);
      return next(wanted, { goal: "running", runs: wanted.runs + 1 });
    case "replace-lease":
      checkLease(change.lease, nowMs);
      return isSameLease(wanted.spec.lease, change.lease) ? wanted : nextSpec(wanted, { lease: change.lease });
    case "add-key":
      return addKey(wanted, parseSshKey(change.key).line);
    case "remove-key":
      return removeKey(wanted, change.fingerprint);
  }
}

/** Throws `lease-expired` when nothing of the lease is left. */
export function checkLease({ expiresAt }: Lease, nowMs: number): void {
  if (Date.parse(expiresAt) > nowMs) return;
  throw new AppError("lease-expired", { message: `The lease ended at ${expiresAt}.`, details: { expiresAt } });
}

function next(wanted: WantedPod, over: Partial<WantedPod>): WantedPod {
  return { ...wanted, ...over, revision: wanted.revision + 1 };
}

function nextSpec(wanted: WantedPod, over: Partial<WantedPod["spec"]>): WantedPod {
  return next(wanted, { spec: { ...wanted.spec, ...over } });
}

/** Whether the pod runs or will without a new request. An exit that answers an older wish says nothing about this one. */
function isUpOrComing({ wanted, status }: PodRecord): boolean {
  const exited = status?.phase === "exited" && status.revision >= wanted.revision;
  return wanted.goal === "running" && !exited;
}

function isSameLease(a: Lease, b: Lease): boolean {
  return a.expiresAt === b.expiresAt && a.graceSeconds === b.graceSeconds;
}

function addKey(wanted: WantedPod, line: string): WantedPod {
  const { sshKeys } = wanted.spec;
  if (sshKeys.includes(line)) return wanted;
  if (sshKeys.length >= MAX_SSH_KEYS) {
    throw new AppError("invalid-request", { message: `A pod has at most ${MAX_SSH_KEYS} SSH keys.` });
  }
  return nextSpec(wanted, { sshKeys: [...sshKeys, line] });
}

function removeKey(wanted: WantedPod, fingerprint: string): WantedPod {
  const { sshKeys } = wanted.spec;
  const left = sshKeys.filter((line) => parseSshKey(line).fingerprint !== fingerprint);
  if (left.length === sshKeys.length) return wanted;
  if (left.length === 0) {
    throw new AppError("ssh-key-invalid", { message: "The last key cannot be removed: nobody could log in." });
  }
  return nextSpec(wanted, { sshKeys: left });
}
