/**
 * What is to be done next about fenced GPUs, one thing at a time and the mildest first. A GPU that somebody has is left alone,
 * a reset also while a neighbour on the same NVLink switches is in use, and the machine boots only when it is empty. Pure.
 */
import type { Accelerators } from "../../../protocol/accelerator.ts";
import type { GpuFence, GpuRemedy } from "../../../protocol/gpu-incident.ts";
import type { GpuUuid } from "../../../protocol/ids.ts";
import { isUnavailable } from "../known.ts";

export interface RemedyInput {
  readonly fences: readonly GpuFence[];
  readonly found: Pick<Accelerators, "gpus" | "pairs">;
  /** Devices and parts that somebody has, or may have; undefined while nobody knows. */
  readonly held: ReadonlySet<GpuUuid> | undefined;
  /** Pods that are on this host at all. */
  readonly pods: number;
  readonly remedies: readonly GpuRemedy[];
  readonly nowMs: number;
  readonly allowReboot: boolean;
  /** Why nothing but tests may be done now, as the agent says. */
  readonly forbidden: string | undefined;
}

export type RemedyPlan =
  | { readonly do: "validate" | "reset"; readonly gpu: GpuUuid }
  | { readonly do: "reboot"; readonly gpus: readonly GpuUuid[] }
  /** Why each of the fenced waits. */
  | { readonly do: "wait"; readonly why: ReadonlyMap<GpuUuid, string> };

const DAY_MS = 86_400_000;
const REST_MS = 60_000;
const LONGEST_REST_MS = 3_600_000;
const MOST_RESETS_A_DAY = 3;
const MOST_BOOTS = { times: 2, withinMs: 7 * DAY_MS };

export function planRemedy(input: RemedyInput): RemedyPlan {
  const { fences, held } = input;
  const gpus = [...new Set(fences.map(({ gpu }) => gpu))];
  const why = new Map<GpuUuid, string>();
  if (held === undefined)
    return { do: "wait", why: new Map(gpus.map((gpu) => [gpu, "It is not known yet who has GPUs."])) };
  const wanted = gpus.map((gpu) => ({ gpu, want: wantOf(gpu, input, held) }));
  for (const { gpu, want } of wanted) if (typeof want === "object") why.set(gpu, want.wait);
  const first = (want: string): GpuUuid | undefined => wanted.find((one) => one.want === want)?.gpu;
  const test = first("validate");
  if (test !== undefined) return { do: "validate", gpu: test };
  const reset = first("reset");
  if (reset !== undefined) return { do: "reset", gpu: reset };
  const boots = wanted.flatMap(({ gpu, want }) => (want === "reboot" ? [gpu] : []));
  return boots.length > 0 ? { do: "reboot", gpus: boots } : { do: "wait", why };
}

type Want = "validate" | "reset" | "reboot" | { readonly wait: string };

const STRENGTH = ["validate", "reset", "reboot", "operator"] as const;

/** Of a device's fences the one with the strongest cure says what is done. */
function wantOf(gpu: GpuUuid, input: RemedyInput, held: ReadonlySet<GpuUuid>): Want {
  const fences = input.fences.filter((one) => one.gpu === gpu);
  const cure = STRENGTH.findLast((one) => fences.some((fence) => fence.cure === one)) ?? "operator";
  if (cure === "operator") return { wait: "Only an operator can clear it: `lium-executor gpus clear`." };
  const device = input.found.gpus.find(({ uuid }) => uuid === gpu);
  const rest = restOf(gpu, input);
  if (rest !== undefined) return { wait: rest };
  if (cure === "reboot") return bootOf(gpu, input, held);
  if (device === undefined) return { wait: "The device is not there." };
  const users = [device.uuid, ...device.partitions.map(({ uuid }) => uuid)].filter((uuid) => held.has(uuid));
  if (users.length > 0) return { wait: "A pod has it." };
  if (!isUnavailable(device.processes) && device.processes.length > 0) {
    return { wait: `Process ${device.processes[0]?.pid} uses it.` };
  }
  return cure === "validate" ? "validate" : resetOf(gpu, input, held);
}

function resetOf(gpu: GpuUuid, input: RemedyInput, held: ReadonlySet<GpuUuid>): Want {
  if (input.forbidden !== undefined) return { wait: input.forbidden };
  const neighbour = domainOf(gpu, input.found).find((uuid) => held.has(uuid));
  if (neighbour !== undefined) return { wait: `A pod has ${neighbour}, which shares its NVLink switches.` };
  const resets = count(input, DAY_MS, ({ action, gpus }) => action === "reset" && gpus.includes(gpu));
  return resets >= MOST_RESETS_A_DAY ? { wait: `It needs hands: it was reset ${resets} times within a day.` } : "reset";
}

/** A device that comes back by itself costs nobody a boot. */
const BOOT_AFTER_MS = 120_000;

function bootOf(gpu: GpuUuid, input: RemedyInput, held: ReadonlySet<GpuUuid>): Want {
  if (!input.allowReboot)
    return { wait: "It needs a boot of the machine, which `[gpus.health] reboot` does not allow." };
  if (input.forbidden !== undefined) return { wait: input.forbidden };
  if (input.pods > 0 || held.size > 0) return { wait: "It needs a boot of the machine, and there are pods." };
  const since = Math.max(...input.fences.filter((one) => one.gpu === gpu).map((one) => Date.parse(one.since)));
  if (input.nowMs - since < BOOT_AFTER_MS) return { wait: "It may come back by itself; else the machine boots soon." };
  const boots = count(input, MOST_BOOTS.withinMs, ({ action, outcome }) => action === "reboot" && outcome !== "failed");
  return boots >= MOST_BOOTS.times
    ? { wait: `It needs hands: the machine was booted ${boots} times within a week.` }
    : "reboot";
}

/** Devices whose reset disturbs each other: those that reach each other over switches, and their parts. */
function domainOf(gpu: GpuUuid, { gpus, pairs }: RemedyInput["found"]): GpuUuid[] {
  const peers = pairs.filter(({ a, b, overSwitch }) => overSwitch && (a === gpu || b === gpu));
  const uuids = new Set(peers.flatMap(({ a, b }) => [a, b]));
  uuids.delete(gpu);
  return gpus
    .filter(({ uuid }) => uuids.has(uuid))
    .flatMap(({ uuid, partitions }) => [uuid, ...partitions.map((part) => part.uuid)]);
}

/** Each try in vain is followed by a longer rest. */
function restOf(gpu: GpuUuid, { remedies, fences, nowMs }: RemedyInput): string | undefined {
  const last = remedies.findLast(({ gpus, outcome }) => outcome === "failed" && gpus.includes(gpu));
  if (last === undefined) return undefined;
  const tries = Math.max(...fences.filter((one) => one.gpu === gpu).map((one) => one.tries), 1);
  const restMs = Math.min(REST_MS * 2 ** (tries - 1), LONGEST_REST_MS);
  const leftMs = Date.parse(last.at) + restMs - nowMs;
  return leftMs <= 0 ? undefined : `The last try was in vain; the next is in ${Math.ceil(leftMs / 1000)} s.`;
}

function count({ remedies, nowMs }: RemedyInput, withinMs: number, which: (remedy: GpuRemedy) => boolean): number {
  return remedies.filter((one) => which(one) && nowMs - Date.parse(one.at) <= withinMs).length;
}
