/**
 * What an agent offers, host by host and model by model, and the bytes by which its hotkey vouches for that: the digest of the
 * one spelling of the offers, and when it was said.
 */
import { z } from "zod";

import { canonicalJson, digestOf } from "./challenge/messages.ts";
import { Gpu } from "./gpu.ts";
import { HostResources } from "./host.ts";
import { HostId, Instant } from "./ids.ts";

const Count = z.int().nonnegative();

/** GPUs of one model on one host. Fenced ones are not among them. */
export const ModelOffer = z.strictObject({
  vendor: Gpu.shape.vendor,
  model: Gpu.shape.model,
  memoryBytes: Gpu.shape.memoryBytes,
  simulated: z.boolean(),
  count: Count,
  free: Count,
  /** The most that one pod can have now. */
  largestSet: Count,
  /** Millionths of a US dollar; left out where the provider names no price. */
  pricePerGpuHourMicros: Count.optional(),
});
export type ModelOffer = z.infer<typeof ModelOffer>;

export const Offer = z.strictObject({
  hostId: HostId,
  /** base64 of the ed25519 key of its executor, which challenges name. */
  hostKey: z.string(),
  /** base64 of the x25519 key that secrets for this host are sealed to. */
  sealingKey: z.string(),
  publicAddress: z.string(),
  /** What the provider says of where it is, and of its network. */
  region: z.string().optional(),
  network: z.strictObject({ downMbps: Count.optional(), upMbps: Count.optional() }).optional(),
  /** `degraded`: something is wrong that keeps nobody away; `closed`: a problem keeps every new pod away. */
  health: z.enum(["healthy", "degraded", "closed"]),
  /** Codes of what is wrong. */
  problems: z.array(z.string()),
  /** The provider works on it: pods go on, new ones are refused. */
  maintenance: z.boolean(),
  total: HostResources,
  free: HostResources,
  models: z.array(ModelOffer),
  gpus: z.array(z.strictObject({ ...Gpu.shape, free: z.boolean() })),
});
export type Offer = z.infer<typeof Offer>;

/** `at`: since when it is so. */
export const Capacity = z.strictObject({ at: Instant, offers: z.array(Offer) });
export type Capacity = z.infer<typeof Capacity>;

/** Capacity as it became at `capacity.at`, and the agent's word for it. */
export const CapacityChange = z.strictObject({
  /** As in the ETag header of the whole, without quotes. */
  etag: z.string(),
  /** Milliseconds since the epoch. */
  signedAtMs: z.int(),
  /** 0x and 128 hex digits, by the agent's hotkey over `capacityBytes`; left out by an agent without its hotkey's file. */
  signature: z.string().optional(),
  capacity: Capacity,
});
export type CapacityChange = z.infer<typeof CapacityChange>;

/** The spelling whose SHA-256 is signed: no blanks, the names of every object in order. Also the body of the answer. */
export function capacityText(capacity: Capacity): string {
  return canonicalJson(capacity);
}

/** SHA-256 in lower-case hex; the ETag of the answer. */
export function capacityDigest(capacity: Capacity): string {
  return digestOf(capacity);
}

/** Four lines, no line break at the end. */
export function capacityBytes(agent: string, digest: string, signedAtMs: number): Uint8Array {
  return new TextEncoder().encode(["lium-capacity/1", agent, digest, String(signedAtMs)].join("\n"));
}
