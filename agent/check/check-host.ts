/**
 * Does to a host what a validator would do, through the same challenges, and says what of it would cost the provider. What a renter
 * would feel is left out while there is one.
 */
import type { Offer } from "../../protocol/capacity.ts";
import { type InventoryResult, nameOf, type PublicPort } from "../../protocol/challenge/host-messages.ts";
import { productFilling, shapeFilling, TILE } from "../../protocol/challenge/task.ts";
import { type AppError, toAppError } from "../../protocol/errors.ts";
import type { Examiner } from "../examiner/examiner.ts";
import { challengeGpus } from "../examiner/gpus.ts";
import { askInventory, probePorts, tryBandwidth, tryDisk, tryPod } from "../examiner/host.ts";
import { type Finding, fine, found } from "./finding.ts";
import { judgeInventory } from "./judge-inventory.ts";
import { LIUM_LIMITS } from "./lium-rules.ts";
import { throwawayKey } from "./throwaway-key.ts";

export interface CheckOptions {
  /** Neither proofs of GPUs nor streams. */
  readonly quick: boolean;
  /** What is filled of each GPU's memory; chosen by its size when left out. */
  readonly proofBytes?: number | undefined;
  /** Of a pod that is rented for a moment; none is when left out. */
  readonly image?: string | undefined;
  /** Told what is done next, for people who wait. */
  readonly progress: (what: string) => void;
}

const MIB = 2 ** 20;
const WITHIN_MS = 300_000;
const USUAL_SHARE = 0.25;
const MOST_PROOF_BYTES = 3 * 2 ** 30;
const DISK_BYTES = 256 * MIB;
const STREAM_BYTES = 64 * MIB;
const WALKS = { walkers: 16_384, steps: 1_024 } as const;
/** It cannot be tried now, which says nothing of the host. */
const NOT_NOW: ReadonlySet<string> = new Set(["challenge-disturbs", "gpu-taken", "challenge-busy", "disk-low"]);

export async function checkHost(
  offer: Offer,
  examiner: Examiner,
  { quick, proofBytes, image, progress }: CheckOptions,
  signal: AbortSignal,
): Promise<Finding[]> {
  const question = { hostKey: offer.hostKey, address: offer.publicAddress, answerWithinMs: WITHIN_MS };
  const findings: Finding[] = [];
  const step = async (check: string, work: () => Promise<Finding[]>): Promise<void> => {
    progress(`${offer.hostId}: ${check}`);
    findings.push(...(await work().catch((error: unknown) => [failureOf(check, toAppError(error))])));
    signal.throwIfAborted();
  };

  let inventory: InventoryResult | undefined;
  await step("inventory", async () => {
    inventory = await askInventory(question, examiner, signal);
    return [...judgeOffer(offer), ...judgeInventory(inventory)];
  });
  const ports = somePorts(inventory?.ports ?? []);
  if (ports.length > 0) {
    await step("ports", async () => {
      const task = { kind: "ports", ports, openSeconds: 30 } as const;
      return [judgePorts(await probePorts({ ...question, task }, examiner, signal))];
    });
  }
  if (quick) return located(findings, offer);
  await step("disk", async () => {
    const task = { kind: "disk", bytes: DISK_BYTES } as const;
    const { ok, writeBytesPerSecond, readBytesPerSecond } = await tryDisk({ ...question, task }, examiner, signal);
    const speed = `${mib(writeBytesPerSecond)}/s written, ${mib(readBytesPerSecond)}/s read`;
    if (!ok) return [found("disk", "failure", "proof-failed", "The disk gave back other bytes than were written.")];
    return [fine("disk", `The disk gives back what was written: ${speed}.`)];
  });
  await step("bandwidth", async () => {
    const task = { kind: "bandwidth", bytes: STREAM_BYTES, openSeconds: 60 } as const;
    const { ok, mbps } = await tryBandwidth({ ...question, task }, examiner, signal);
    if (!ok) return [found("bandwidth", "failure", "proof-failed", "Other bytes came than were asked for.")];
    return [fine("bandwidth", `${mbps} Mbit/s came from the host to this agent.`)];
  });
  for (const kind of ["compute", "memory"] as const) {
    await step(kind, () => proveGpus(kind, { offer, examiner, proofBytes, signal }));
  }
  if (image !== undefined) await step("pod", async () => [await rentPod(image, { question, examiner, signal })]);
  return located(findings, offer);
}

interface Renting {
  readonly question: { readonly hostKey: string; readonly address: string; readonly answerWithinMs: number };
  readonly examiner: Examiner;
  readonly signal: AbortSignal;
}

async function rentPod(image: string, { question, examiner, signal }: Renting): Promise<Finding> {
  const task = { kind: "pod", image, sshKey: throwawayKey(), gpus: 1, openSeconds: 30 } as const;
  const { ok, readyMs, banner } = await tryPod({ ...question, task }, examiner, signal);
  if (!ok) return found("pod", "failure", "proof-failed", `The pod's port answers, and not as SSH does: ${banner}`);
  return fine("pod", `A pod with a GPU could be reached by SSH after ${readyMs} ms.`);
}

interface Proving {
  readonly offer: Offer;
  readonly examiner: Examiner;
  readonly proofBytes: number | undefined;
  readonly signal: AbortSignal;
}

async function proveGpus(
  kind: "compute" | "memory",
  { offer, examiner, proofBytes, signal }: Proving,
): Promise<Finding[]> {
  const free = offer.gpus.filter((gpu) => gpu.free && gpu.partition === undefined);
  const gpus = free.map(({ uuid }) => uuid);
  if (gpus.length === 0) return [found(kind, "note", "not-tried", "No whole GPU is free to be asked.")];
  const smallest = Math.min(...free.map(({ memoryBytes }) => memoryBytes));
  const bytes = proofBytes ?? Math.min(MOST_PROOF_BYTES, smallest * USUAL_SHARE);
  const shape = kind === "compute" ? shapeFilling(bytes) : productFilling(bytes, innerFor(bytes));
  if (shape === undefined) return [found(kind, "note", "not-tried", "There is too little memory to fill.")];
  const task =
    kind === "compute" ? { kind, ...shape, rounds: 1, openings: 32 } : { kind: "memory" as const, ...shape, ...WALKS };
  const deadlines = { commitWithinMs: WITHIN_MS, answerWithinMs: WITHIN_MS };
  const finding = await challengeGpus({ hostKey: offer.hostKey, gpus, task, ...deadlines }, examiner, signal);
  const bad = finding.gpus.filter(({ ok }) => !ok);
  if (bad.length > 0) {
    return bad.map(({ uuid, code, message }) => found(kind, "failure", "proof-failed", `${uuid}: ${code}: ${message}`));
  }
  const time = `in ${finding.commitMs} ms, answers in ${finding.answerMs} ms`;
  return [fine(kind, `${gpus.length} GPU(s) proved it together, ${mib(finding.heldBytes)} each: ${time}.`)];
}

function innerFor(bytes: number): number {
  return Math.min(16_384, Math.max(TILE, Math.floor(Math.sqrt(bytes) / (2 * TILE)) * TILE));
}

function judgeOffer({ health, problems, maintenance }: Offer): Finding[] {
  const told = problems.join(", ");
  return [
    ...(health === "closed" ? [found("host", "failure", "host-closed", `The host takes no pods: ${told}.`)] : []),
    ...(health === "degraded" ? [found("host", "warning", "host-closed", `Something is wrong: ${told}.`)] : []),
    ...(maintenance ? [found("host", "note", "host-closed", "You work on the host, so that it takes no pods.")] : []),
  ];
}

/** Spread over the ranges, as validators draw them. */
function somePorts(ranges: InventoryResult["ports"]): PublicPort[] {
  const all = ranges.flatMap(({ first, count }) => {
    const each = Math.max(1, Math.floor(count / LIUM_LIMITS.goodPorts));
    const most = Math.min(count, LIUM_LIMITS.goodPorts);
    return Array.from({ length: most }, (_, index) => first + index * each);
  });
  return [...new Set(all)].slice(0, LIUM_LIMITS.goodPorts).map((port) => ({ port, protocol: "tcp" }));
}

function judgePorts(ports: Awaited<ReturnType<typeof probePorts>>): Finding {
  const good = ports.filter(({ ok }) => ok).length;
  const bad = ports.filter(({ ok }) => !ok);
  const why = bad.map((port) => `${nameOf(port)}: ${port.message ?? ""}`).join("; ");
  const { leastPorts } = LIUM_LIMITS;
  if (good < leastPorts) {
    return found("ports", "failure", "ports-too-few", `${good} of ${ports.length} ports are reached from here. ${why}`);
  }
  if (bad.length > 0) {
    return found("ports", "warning", "ports-few", `${good} of ${ports.length} ports are reached from here. ${why}`);
  }
  return fine("ports", `${good} ports are reached from here.`);
}

function failureOf(check: string, { code, message, details }: AppError): Finding {
  const reason = typeof details["code"] === "string" ? details["code"] : code;
  if (reason === "agent-cannot-sign") return found(check, "failure", reason, message);
  if (NOT_NOW.has(reason)) return found(check, "note", "not-tried", message);
  return found(check, "failure", "proof-failed", `${code}: ${message}`);
}

function located(findings: readonly Finding[], { hostId }: Offer): Finding[] {
  return findings.map((finding) => ({ ...finding, hostId }));
}

function mib(bytes: number): string {
  return `${Math.round(bytes / MIB)} MiB`;
}
