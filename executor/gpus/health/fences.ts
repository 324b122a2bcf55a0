/**
 * The fences around GPUs: put up by incidents and by states, taken down by a test that is passed, or by an operator. What is
 * tried in vain is tried by stronger means: a reset, then a boot, then nothing but an operator's word. Pure.
 */
import type { HealthReason } from "../../../protocol/accelerator.ts";
import type { Cure, GpuFence } from "../../../protocol/gpu-incident.ts";
import type { GpuUuid } from "../../../protocol/ids.ts";
import { STATE_CURES } from "./policy.ts";

export type NewFence = Pick<GpuFence, "gpu" | "code" | "message" | "cure" | "breaks" | "incident">;

export interface When {
  readonly nowMs: number;
  readonly bootId: string;
}

/** A fence that is there already stands as it is, unless its cure has begun: then it was in vain. */
export function raised(fences: readonly GpuFence[], { incident, ...fence }: NewFence, when: When): readonly GpuFence[] {
  const known = fences.find(({ gpu, code }) => gpu === fence.gpu && code === fence.code);
  if (known !== undefined && (known.cure === fence.cure || known.cure === "operator" || known.incident === incident)) {
    return fences;
  }
  const next: GpuFence = {
    ...fence,
    ...(incident === undefined ? {} : { incident }),
    cure: known === undefined ? fence.cure : harder(fence.cure, cureAfter(known.tries)),
    since: known?.since ?? new Date(when.nowMs).toISOString(),
    bootId: when.bootId,
    tries: known?.tries ?? 0,
  };
  return [...fences.filter((one) => one !== known), next];
}

/**
 * Fences by what a device's readings say now. Where a state is over a test is what is left to do, unless one was failed since:
 * then its cure stands.
 */
export function withStates(
  fences: readonly GpuFence[],
  gpu: GpuUuid,
  states: readonly HealthReason[],
  when: When,
): readonly GpuFence[] {
  const holding = new Set(states.map(({ code }) => code));
  const over = fences.map((one): GpuFence => {
    const isOver = one.gpu === gpu && STATE_CURES[one.code] !== undefined && !holding.has(one.code);
    return isOver && one.tries === 0 && one.cure !== "validate" ? { ...one, cure: "validate" } : one;
  });
  const unchanged = over.every((one, index) => one === fences[index]) ? fences : over;
  return states.reduce((all, { code, message, fence }) => {
    const rule = STATE_CURES[code];
    if (!fence || rule === undefined) return all;
    return raisedState(all, { gpu, code, message, ...rule }, when);
  }, unchanged);
}

/** A state that holds is said again and again; what was tried against it stays counted. */
function raisedState(fences: readonly GpuFence[], fence: NewFence, when: When): readonly GpuFence[] {
  const known = fences.find(({ gpu, code }) => gpu === fence.gpu && code === fence.code);
  if (known === undefined) return raised(fences, fence, when);
  if (known.cure !== "validate" || fence.cure === "validate") return fences;
  const cure = harder(fence.cure, cureAfter(known.tries));
  return fences.map((one) => (one === known ? { ...one, cure, bootId: when.bootId } : one));
}

/** A boot does what a reset does, and more. */
export function afterBoot(fences: readonly GpuFence[], bootId: string): readonly GpuFence[] {
  return fences.map((one): GpuFence => {
    if (one.bootId === bootId || (one.cure !== "reset" && one.cure !== "reboot")) return one;
    return { ...one, cure: "validate", bootId };
  });
}

export function afterReset(fences: readonly GpuFence[], gpu: GpuUuid): readonly GpuFence[] {
  return fences.map((one): GpuFence => (one.gpu === gpu && one.cure === "reset" ? { ...one, cure: "validate" } : one));
}

/** What is to be done after the cure of a device's fences was tried in vain. */
export function afterFailure(fences: readonly GpuFence[], gpu: GpuUuid, message: string): readonly GpuFence[] {
  return fences.map((one): GpuFence => {
    if (one.gpu !== gpu || one.cure === "operator") return one;
    const tries = one.tries + 1;
    return { ...one, tries, cure: cureAfter(tries), last: message.slice(0, 400) };
  });
}

/** After a test was passed: what needed no more than that is gone. */
export function afterTest(fences: readonly GpuFence[], gpu: GpuUuid): readonly GpuFence[] {
  return fences.filter((one) => one.gpu !== gpu || one.cure !== "validate");
}

const LADDER: readonly Cure[] = ["validate", "reset", "reboot", "operator"];

function cureAfter(tries: number): Cure {
  return LADDER[Math.min(tries, LADDER.length - 1)] ?? "operator";
}

function harder(a: Cure, b: Cure): Cure {
  return LADDER.indexOf(a) > LADDER.indexOf(b) ? a : b;
}
