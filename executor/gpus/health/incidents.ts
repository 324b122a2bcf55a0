/**
 * Findings as incidents: a burst of errors is one, bound to its GPU, its time and the pod that had the GPU then. Pure.
 */
import type { GpuIncident } from "../../../protocol/gpu-incident.ts";
import type { GpuUuid, PodId } from "../../../protocol/ids.ts";
import type { Finding, FindingClass } from "./finding.ts";

/** A burst is over after so long without an error. */
export const BURST_GAP_MS = 180_000;
/** One error that the kernel and the driver's library both tell. */
const SAME_WITHIN_MS = 1_000;
const MOST_EVIDENCE = 5;
const MOST_INCIDENTS = 500;

/** The worst first. */
const RANK: readonly FindingClass[] = [
  "reboot",
  "reset",
  "fabric",
  "inspect",
  "memory",
  "watch",
  "application",
  "info",
];

export interface Noted {
  /** The newest last. */
  readonly incidents: readonly GpuIncident[];
  /** The incident that the finding began or belongs to; undefined where it is none's. */
  readonly incident?: GpuIncident;
}

export interface About {
  readonly gpu: GpuUuid;
  /** Who had the GPU at the finding's time. */
  readonly podId: PodId | undefined;
}

export function noted(incidents: readonly GpuIncident[], finding: Finding, about: About): Noted {
  const open = incidents.findLast((incident) => isOfBurst(incident, finding, about));
  if (open === undefined) {
    if (finding.echo || finding.class === "info") return { incidents };
    const incident = opened(finding, about);
    return { incidents: [...incidents, incident].slice(-MOST_INCIDENTS), incident };
  }
  if (isToldAlready(open, finding)) return { incidents, incident: open };
  const incident = extended(open, finding);
  return { incidents: incidents.map((one) => (one === open ? incident : one)), incident };
}

/** Whose doing an error of this class is. */
function faultOf(kind: FindingClass, podId: PodId | undefined): GpuIncident["fault"] {
  if (kind === "application") return podId === undefined ? "unknown" : "renter";
  return kind === "watch" || kind === "info" ? "unknown" : "provider";
}

/** Whether `a` is worse than `b`. */
function isWorse(a: FindingClass, b: FindingClass): boolean {
  return RANK.indexOf(a) < RANK.indexOf(b);
}

function isOfBurst(incident: GpuIncident, { at }: Finding, { gpu, podId }: About): boolean {
  const [from, to] = [Date.parse(incident.openedAt), Date.parse(incident.lastAt)];
  return incident.gpu === gpu && incident.podId === podId && at >= from - BURST_GAP_MS && at <= to + BURST_GAP_MS;
}

function isToldAlready({ codes, lastAt, evidence }: GpuIncident, { code, at, source, message }: Finding): boolean {
  if (codes[code] === undefined) return false;
  const isNear = Math.abs(at - Date.parse(lastAt)) <= SAME_WITHIN_MS;
  // The kernel tells each of its lines once; the library tells again what the kernel has told.
  return isNear && (source === "nvml" || evidence.includes(message));
}

function opened({ at, code, class: kind, message }: Finding, { gpu, podId }: About): GpuIncident {
  const instant = new Date(at).toISOString();
  return {
    id: `${gpu.slice(-12)}-${at.toString(36)}-${code}`.slice(0, 60),
    gpu,
    openedAt: instant,
    lastAt: instant,
    code,
    class: kind,
    codes: { [code]: 1 },
    ...(podId === undefined ? {} : { podId }),
    fault: faultOf(kind, podId),
    evidence: [message],
  };
}

function extended(incident: GpuIncident, { at, code, class: kind, echo, message }: Finding): GpuIncident {
  const isCause = !echo && isWorse(kind, incident.class);
  const evidence = isCause ? [message, ...incident.evidence] : [...incident.evidence, message];
  return {
    ...incident,
    openedAt: new Date(Math.min(at, Date.parse(incident.openedAt))).toISOString(),
    lastAt: new Date(Math.max(at, Date.parse(incident.lastAt))).toISOString(),
    ...(isCause ? { code, class: kind, fault: faultOf(kind, incident.podId) } : {}),
    codes: { ...incident.codes, [code]: (incident.codes[code] ?? 0) + 1 },
    evidence: evidence.slice(0, MOST_EVIDENCE),
  };
}
