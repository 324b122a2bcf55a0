/**
 * How what is known of the GPUs' health changes by readings and findings, and what it means for each GPU. Pure.
 */
import type { Accelerator, Accelerators, HealthReason } from "../../../protocol/accelerator.ts";
import type { GpuIncident } from "../../../protocol/gpu-incident.ts";
import type { GpuUuid, PodId } from "../../../protocol/ids.ts";
import { knownOr } from "../known.ts";
import { firstFunction } from "../pci-address.ts";
import { raised, type When, withStates } from "./fences.ts";
import type { Finding } from "./finding.ts";
import { noted } from "./incidents.ts";
import type { Judgement } from "./judge.ts";
import { cautions, fenceRuleOf } from "./policy.ts";
import { bestOf, statesOf } from "./states.ts";
import type { HealthState } from "./store.ts";

/** Which pod had one of these units at an instant; undefined where none had, or several. */
export type HolderAt = (units: readonly GpuUuid[], atMs: number) => PodId | undefined;

export function withReadings(state: HealthState, { gpus }: Accelerators, when: When): HealthState {
  const best = new Map(state.best);
  let { fences } = state;
  for (const gpu of gpus) {
    best.set(gpu.uuid, bestOf(gpu, best.get(gpu.uuid)));
    fences = withStates(fences, gpu.uuid, [...gpu.health.reasons, ...statesOf(gpu, best.get(gpu.uuid))], when);
  }
  return { ...state, fences, best };
}

export interface Noticed {
  readonly state: HealthState;
  /** Those that began with it. */
  readonly begun: readonly GpuIncident[];
}

/** Each GPU that the finding is about has an incident of its own. */
export function withFinding(
  state: HealthState,
  finding: Finding,
  context: When & { readonly found: Accelerators; readonly holderAt: HolderAt },
): Noticed {
  const begun: GpuIncident[] = [];
  let next = state;
  for (const gpu of gpusAt(finding, context.found)) {
    const about = { gpu: gpu.uuid, podId: context.holderAt(unitsOf(gpu), finding.at) };
    const { incidents, incident } = noted(next.incidents, finding, about);
    if (incident === undefined) continue;
    if (!next.incidents.some(({ id }) => id === incident.id)) begun.push(incident);
    next = withFence({ ...next, incidents }, incident, context);
  }
  return { state: next, begun };
}

function withFence(state: HealthState, incident: GpuIncident, when: When): HealthState {
  const rule = fenceRuleOf(incident, state.incidents);
  if (rule === undefined) return state;
  const { gpu, code, id, evidence } = incident;
  const fence = { gpu, code, message: evidence[0] ?? code, incident: id, ...rule };
  return { ...state, fences: raised(state.fences, fence, when) };
}

/** What is said of each GPU, beside what was found. */
export function judgementOf(state: HealthState, { gpus }: Accelerators, nowMs: number): Judgement {
  const judgement = new Map<GpuUuid, HealthReason[]>();
  const add = (gpu: GpuUuid, reason: HealthReason): void => {
    judgement.set(gpu, [...(judgement.get(gpu) ?? []), reason]);
  };
  for (const { gpu, code, message } of state.fences) add(gpu, { code, message, fence: true });
  for (const { gpu, ...reason } of cautions(state.incidents, nowMs)) add(gpu, reason);
  for (const gpu of gpus) {
    for (const reason of statesOf(gpu, state.best.get(gpu.uuid))) if (!reason.fence) add(gpu.uuid, reason);
  }
  return judgement;
}

/** A device and its parts. */
export function unitsOf({ uuid, partitions }: Pick<Accelerator, "uuid" | "partitions">): GpuUuid[] {
  return [uuid, ...partitions.map((part) => part.uuid)];
}

/** Of the whole board are the devices on NVLink switches. */
function gpusAt({ where }: Finding, { gpus, pairs }: Accelerators): readonly Accelerator[] {
  if ("uuid" in where) return gpus.filter((gpu) => unitsOf(gpu).includes(where.uuid));
  if ("pciAddress" in where) {
    const card = firstFunction(where.pciAddress);
    return gpus.filter(({ pciAddress }) => firstFunction(knownOr(pciAddress, "nowhere")) === card);
  }
  const switched = new Set(pairs.filter(({ overSwitch }) => overSwitch).flatMap(({ a, b }) => [a, b]));
  return gpus.filter(({ uuid }) => switched.has(uuid));
}
