/**
 * What an incident means for its GPU: nothing, a word of caution, or a fence and what may take it down again. Pure.
 */
import type { HealthReason } from "../../../protocol/accelerator.ts";
import type { Cure, GpuFence, GpuIncident } from "../../../protocol/gpu-incident.ts";
import type { FindingClass } from "./finding.ts";

const DAY_MS = 86_400_000;
/**
 * The same error of programs of several renters is the hardware's: within a day the GPU is tested before anybody gets it again,
 * within a week it is told. One renter's program may fail as often as it likes.
 */
const APPLICATION = { tested: { pods: 2, withinMs: DAY_MS }, told: { pods: 3, withinMs: 7 * DAY_MS } };
/** Errors of which nobody knows what they mean, and memory errors that cost one program alone. */
const COUNTED = { times: 3, withinMs: DAY_MS };

type FenceRule = Pick<GpuFence, "cure" | "breaks">;

const BY_CLASS: Readonly<Partial<Record<FindingClass, FenceRule>>> = {
  memory: { cure: "reset", breaks: true },
  reset: { cure: "reset", breaks: true },
  reboot: { cure: "reboot", breaks: true },
  fabric: { cure: "reset", breaks: false },
  inspect: { cure: "operator", breaks: false },
};

const BY_CODE: Readonly<Record<string, FenceRule | undefined>> = {
  // Rows of memory wait to be replaced, and pages were given up: whoever has the GPU goes on.
  "xid-63": { cure: "reset", breaks: false },
  "xid-156": { cure: "reset", breaks: false },
  // The error was contained: it ended one program. It is counted.
  "xid-94": undefined,
};

/** Undefined where the GPU stays on offer. */
export function fenceRuleOf(incident: GpuIncident, all: readonly GpuIncident[]): FenceRule | undefined {
  if (Object.hasOwn(BY_CODE, incident.code)) {
    const rule = BY_CODE[incident.code];
    if (rule !== undefined) return rule;
    return timesOf(incident, all, COUNTED.withinMs) >= COUNTED.times ? { cure: "reset", breaks: false } : undefined;
  }
  if (incident.class === "application") {
    const { pods, withinMs } = APPLICATION.tested;
    return podsOf(incident, all, withinMs) >= pods ? { cure: "validate", breaks: false } : undefined;
  }
  return BY_CLASS[incident.class];
}

/** What is said of a GPU that stays on offer, as long as its incidents are young. */
export function cautions(all: readonly GpuIncident[], nowMs: number): (HealthReason & Pick<GpuIncident, "gpu">)[] {
  const young = all.filter(({ lastAt }) => nowMs - Date.parse(lastAt) <= APPLICATION.told.withinMs);
  return young.flatMap((incident, index) => {
    const isFirst = !young.slice(0, index).some((other) => other.gpu === incident.gpu && other.code === incident.code);
    if (!isFirst) return [];
    const { gpu, code } = incident;
    const message = cautionOf(incident, young, nowMs);
    return message === undefined ? [] : [{ gpu, code: `repeated-${code}`, message, fence: false }];
  });
}

function cautionOf(incident: GpuIncident, all: readonly GpuIncident[], nowMs: number): string | undefined {
  const same = all.filter(({ gpu, code }) => gpu === incident.gpu && code === incident.code);
  if (incident.class === "application") {
    const pods = podsOf(incident, same, APPLICATION.told.withinMs);
    if (pods < APPLICATION.told.pods) return undefined;
    return `Programs of ${pods} pods met ${incident.code} on this device within a week.`;
  }
  if (incident.class !== "watch" && incident.code !== "xid-94") return undefined;
  const times = countOf(same.filter(({ lastAt }) => nowMs - Date.parse(lastAt) <= COUNTED.withinMs));
  return times < COUNTED.times ? undefined : `${incident.code} came ${times} times within a day.`;
}

/** How many pods met this error on this GPU, around this time. */
function podsOf({ gpu, code, lastAt }: GpuIncident, all: readonly GpuIncident[], withinMs: number): number {
  const near = all.filter((one) => Math.abs(Date.parse(one.lastAt) - Date.parse(lastAt)) <= withinMs);
  return new Set(near.flatMap((one) => (one.gpu === gpu && one.code === code && one.podId) || [])).size;
}

function timesOf({ gpu, code, lastAt }: GpuIncident, all: readonly GpuIncident[], withinMs: number): number {
  const since = Date.parse(lastAt) - withinMs;
  return countOf(all.filter((one) => one.gpu === gpu && one.code === code && Date.parse(one.lastAt) >= since));
}

function countOf(incidents: readonly GpuIncident[]): number {
  return incidents.reduce((sum, { code, codes }) => sum + (codes[code] ?? 1), 0);
}

/** Fences of states that hold: by the codes of docs/hardware.md. */
export const STATE_CURES: Readonly<Record<string, { readonly cure: Cure; readonly breaks: boolean }>> = {
  lost: { cure: "reboot", breaks: true },
  missing: { cure: "reboot", breaks: true },
  "reset-required": { cure: "reset", breaks: true },
  failing: { cure: "reset", breaks: true },
  "driver-crash": { cure: "validate", breaks: false },
  "ras-uncorrectable": { cure: "reset", breaks: true },
  "recovery-reset": { cure: "reset", breaks: true },
  "recovery-drain-and-reset": { cure: "reset", breaks: false },
  "recovery-reboot": { cure: "reboot", breaks: true },
  "recovery-drain-peers": { cure: "reset", breaks: false },
  "recovery-recover-imex": { cure: "operator", breaks: false },
  "rows-pending": { cure: "reset", breaks: false },
  "rows-failed": { cure: "operator", breaks: false },
  "rows-many": { cure: "operator", breaks: false },
  "pages-many": { cure: "operator", breaks: false },
  "sram-threshold": { cure: "operator", breaks: false },
  "fabric-not-ready": { cure: "validate", breaks: false },
  "fabric-unhealthy": { cure: "operator", breaks: false },
};
