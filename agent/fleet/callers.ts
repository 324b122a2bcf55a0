/**
 * What follows from who asks: which pods they see, how the audit names them, whose fault it is. Pure.
 */
import type { PodEvent } from "../../protocol/pod.ts";
import type { PodRecord } from "../store/records.ts";
import type { Caller, PodChange } from "./use-cases.ts";

export function maySee(caller: Caller, pod: PodRecord): boolean {
  return caller.kind === "operator" || (pod.claimed && pod.wanted.owner === caller.hotkey);
}

/** As the audit knows the caller. */
export function nameOf(caller: Caller): string {
  return caller.kind === "operator" ? "operator" : caller.hotkey;
}

/** What a pod's events say of a request of the caller. */
export function changeEvent(
  caller: Caller,
  change: PodChange,
): { code: string; message: string; fault: PodEvent["fault"] } {
  const who = caller.kind === "operator" ? "The operator" : "The owner";
  return {
    code: `${change.do}-requested`,
    message: `${who} asked: ${change.do}.`,
    fault: caller.kind === "operator" ? "provider" : "none",
  };
}
