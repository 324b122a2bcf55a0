/**
 * The words for usage: what a pod had of a host, for how long, and whether it counts. Durations are integer milliseconds
 * of a clock that never jumps; instants of the wall clock are labels alone. An entry that was written is never changed.
 */
import { z } from "zod";

import { GpuUuid, Instant, PodId } from "./ids.ts";

/**
 * Why an interval counts or not. Billed: `running`, a renter could log in; `exited`, the main process ended by the renter's
 * doing, crash loops included, and what was rented is still held. Unbilled, all others: `starting`, SSH is not proven yet;
 * `degraded`, from the first probe that failed; `our-fault`, this host ended it; `maintenance`; `engine-unknown`, the
 * container engine did not answer; `unobserved`, the executor was down and the pod did not run through; `stopped`; `ending`.
 */
export const UsageReason = z.enum([
  "running",
  "exited",
  "starting",
  "degraded",
  "our-fault",
  "maintenance",
  "engine-unknown",
  "unobserved",
  "stopped",
  "ending",
]);
export type UsageReason = z.infer<typeof UsageReason>;

export const UsageKind = z.enum(["billed", "unbilled"]);
export type UsageKind = z.infer<typeof UsageKind>;

/** One interval of one pod. */
export const UsageEntry = z.strictObject({
  v: z.literal(1),
  podId: PodId,
  kind: UsageKind,
  reason: UsageReason,
  /** The wall clock at its end, in milliseconds since the epoch. */
  atMs: z.int(),
  ms: z.int().positive(),
  gpus: z.array(GpuUuid),
  cpus: z.number(),
  memoryBytes: z.int(),
  diskBytes: z.int(),
  /** To the pod and from it; absent where it could not be read. */
  inBytes: z.int().min(0).optional(),
  outBytes: z.int().min(0).optional(),
});
export type UsageEntry = z.infer<typeof UsageEntry>;

const Hash = z.string().regex(/^[0-9a-f]{64}$/);

/** An entry in its place: `hash` is the SHA-256 of the number, the hash before and the entry as canonical JSON. */
export const ChainedEntry = z.strictObject({ seq: z.int().positive(), entry: UsageEntry, hash: Hash });
export type ChainedEntry = z.infer<typeof ChainedEntry>;

/** What the host's key vouches for: `head`, the chain ends here; `checkpoint`, what lies before was there and was dropped. */
export const Seal = z.strictObject({
  v: z.literal(1),
  what: z.enum(["head", "checkpoint"]),
  /** base64 of the host's ed25519 public key. */
  host: z.string(),
  seq: z.int().min(0),
  hash: Hash,
  atMs: z.int(),
});
export type Seal = z.infer<typeof Seal>;

/** `signature`: base64 of ed25519 over "lium-usage " and the seal as canonical JSON. */
export const SignedSeal = z.strictObject({ seal: Seal, signature: z.string() });
export type SignedSeal = z.infer<typeof SignedSeal>;

/** More than a JavaScript number holds: an integer as decimal digits. */
const BigAmount = z.string().regex(/^\d+$/);

/** Summed in milliseconds and rounded down to whole seconds once, at the end. */
export const UsageAmounts = z.strictObject({
  seconds: z.int(),
  gpuSeconds: z.int(),
  gpuSecondsByUuid: z.record(z.string(), z.int()),
  cpuSeconds: z.int(),
  memoryByteSeconds: BigAmount,
  diskByteSeconds: BigAmount,
  inBytes: z.int(),
  outBytes: z.int(),
});
export type UsageAmounts = z.infer<typeof UsageAmounts>;

export const UsageTotal = z.strictObject({
  podId: PodId,
  /** The labels of the first entry's start and the last one's end. */
  from: Instant,
  to: Instant,
  billed: UsageAmounts,
  unbilled: UsageAmounts,
  secondsByReason: z.partialRecord(UsageReason, z.int()),
});
export type UsageTotal = z.infer<typeof UsageTotal>;

/** An entry belongs to where its end is labelled: from `from` on, before `to`. Neighbouring ranges share none. */
export const UsageQuery = z.strictObject({
  podId: PodId.optional(),
  from: Instant.optional(),
  to: Instant.optional(),
});
export type UsageQuery = z.infer<typeof UsageQuery>;

/** One line of an export: first all entries, then a total for each pod, then the signed end of the chain. */
export const UsageLine = z.union([
  ChainedEntry,
  z.strictObject({ total: UsageTotal }),
  z.strictObject({ head: SignedSeal }),
]);
export type UsageLine = z.infer<typeof UsageLine>;

export const UsageFault = z.strictObject({
  code: z.enum(["entry-missing", "entry-changed", "end-missing", "end-unsigned", "seal-invalid", "head-unknown"]),
  /** Where it was found. */
  seq: z.int(),
  message: z.string(),
});
export type UsageFault = z.infer<typeof UsageFault>;

export const UsageVerdict = z.strictObject({
  intact: z.boolean(),
  entries: z.int(),
  host: z.string(),
  head: SignedSeal.optional(),
  checkpoint: SignedSeal.optional(),
  /** The first of them. */
  faults: z.array(UsageFault),
});
export type UsageVerdict = z.infer<typeof UsageVerdict>;
