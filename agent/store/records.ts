/**
 * What the agent remembers of hosts and pods, as schemas: what is read back is checked like anything from outside.
 *
 * Records are values. A change makes a new record, which is stored before anybody acts on it.
 */
import { z } from "zod";

import { HostFacts } from "../../protocol/host.ts";
import { HostId, Instant } from "../../protocol/ids.ts";
import { PodStatus, WantedPod } from "../../protocol/pod.ts";

export const HostRecord = z.strictObject({
  hostId: HostId,
  name: z.string(),
  /** base64 of the executor's ed25519 public key. */
  publicKey: z.string(),
  enrolledAt: Instant,
  lastSeenAt: Instant.optional(),
  facts: HostFacts.optional(),
  /** The host's own cursor of the newest event that is stored here. */
  eventCursor: z.int().min(0),
});
export type HostRecord = z.infer<typeof HostRecord>;

export const PodRecord = z.strictObject({
  wanted: WantedPod,
  hostId: HostId,
  createdAt: Instant,
  /** False for a pod that a host reported and nobody here asked for. */
  claimed: z.boolean(),
  /** From the arrival of the request until the pod was stored. */
  acceptedMs: z.number().min(0),
  idempotency: z.strictObject({ key: z.string(), requestHash: z.string() }).optional(),
  /** What the host said last; absent until it has said anything. */
  status: PodStatus.optional(),
});
export type PodRecord = z.infer<typeof PodRecord>;
