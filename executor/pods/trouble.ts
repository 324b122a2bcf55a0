/**
 * Which troubles of a pod pass and which end it. Pure. A pod that ever ran is never given up for a failed step.
 */
import type { AppError, ErrorCode } from "../../protocol/errors.ts";
import { goalOf, type PodRecord } from "./state.ts";

/** How often a passing trouble may come before a pod that never ran is given up: an engine may take 10 s to recover. */
export const MAX_ATTEMPTS = 6;
export const RETRY = { firstDelayMs: 500, maxDelayMs: 15_000 };

/** Troubles that may pass by themselves; others are final for a pod that never ran. Pulls were tried again already. */
const PASSING: ReadonlySet<ErrorCode> = new Set(["engine-error", "internal"]);

/** Whether the pod will never run: it has not yet, it should, and the trouble is final or has come too often. */
export function isHopeless(
  { code }: AppError,
  attempts: number,
  { record, nowMs }: { readonly record: PodRecord; readonly nowMs: number },
): boolean {
  const { started, sshReady } = record.timeline;
  // That its GPUs are there is found out after the start and before anybody can use the pod.
  const ran = code === "gpu-not-given" ? sshReady : started;
  if (code === "engine-unavailable" || ran !== undefined) return false;
  return goalOf(record, nowMs) === "running" && (!PASSING.has(code) || attempts >= MAX_ATTEMPTS);
}
