/**
 * Challenges of a host rather than of its GPUs: one question, one answer, signed by host and agent like every other. For `ports`,
 * `bandwidth` and `pod` the host holds open what the validator then looks at with its own eyes.
 */
import { z } from "zod";

import { GpuUuid, Hotkey, Instant, PodId } from "../ids.ts";
import { ImageReference } from "../image-ref.ts";
import { PodStatus } from "../pod.ts";
import { SshPublicKey } from "../ssh-key.ts";
import { base64, Digest } from "./bytes.ts";
import { Signatures } from "./signatures.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const Bytes = z.int().nonnegative();
const Millis = z.number().nonnegative();
const Port = z.int().min(1).max(65_535);
/** For how long the host holds something open. */
const OpenSeconds = z.int().min(5).max(120).default(30);

/** A port as the world sees it. */
export const PublicPort = z.strictObject({ port: Port, protocol: z.enum(["tcp", "udp"]) });
export type PublicPort = z.infer<typeof PublicPort>;

export const HostTask = z.discriminatedUnion("kind", [
  /** What the host is, each fact from two sources that do not know of each other. */
  z.strictObject({ kind: z.literal("inventory") }),
  /** Tokens on these ports, by the way that pods' ports are published. */
  z.strictObject({
    kind: z.literal("ports"),
    ports: z
      .array(PublicPort)
      .min(1)
      .max(64)
      .refine((ports) => new Set(ports.map(nameOf)).size === ports.length, "must name each port once"),
    openSeconds: OpenSeconds,
  }),
  /** A seeded stream, written where pods write, and read again past the cache. */
  z.strictObject({
    kind: z.literal("disk"),
    bytes: z
      .int()
      .min(MIB)
      .max(8 * GIB),
  }),
  /** A seeded stream, to be pulled from one of the host's ports. */
  z.strictObject({
    kind: z.literal("bandwidth"),
    bytes: z
      .int()
      .min(MIB)
      .max(8 * GIB),
    openSeconds: OpenSeconds,
  }),
  /** A pod of the validator's, rented as every other, that ends with the challenge. */
  z.strictObject({
    kind: z.literal("pod"),
    image: ImageReference,
    sshKey: SshPublicKey,
    gpus: z.int().min(0).max(16).default(1),
    openSeconds: z.int().min(5).max(600).default(120),
  }),
]);
export type HostTask = z.infer<typeof HostTask>;

export const HostChallenge = z.strictObject({
  version: z.literal(1),
  /** Fresh for every challenge; a second answer to it is refused. */
  nonce: Digest,
  validator: Hotkey,
  agent: Hotkey,
  /** base64 of the ed25519 key of the host's executor. */
  hostKey: base64(32, 32),
  task: HostTask,
  issuedAt: Instant,
  /** From the challenge to the answer. */
  answerWithinMs: z
    .int()
    .min(100)
    .max(30 * 60_000),
});
export type HostChallenge = z.infer<typeof HostChallenge>;

/** What one source says; text, so that all facts are compared alike. */
export const SourcedFact = z.strictObject({
  /** Such as `memory` or `gpu GPU-... pci`. */
  name: z.string().max(120),
  said: z.array(z.strictObject({ source: z.string().max(60), value: z.string().max(200) })).max(4),
  agree: z.boolean(),
  /** Why they differ, or why there is one source only. */
  why: z.string().max(300).optional(),
});
export type SourcedFact = z.infer<typeof SourcedFact>;

export const InventoryGpu = z.strictObject({
  uuid: GpuUuid,
  vendor: z.string(),
  model: z.string(),
  /** Left out where it could not be read, as are the next two. */
  memoryBytes: Bytes.optional(),
  pciAddress: z.string().optional(),
  driver: z.string().optional(),
  simulated: z.boolean(),
  /** Whether a pod has it. */
  rented: z.boolean(),
  /** Percent; left out where it could not be read. */
  utilisation: z.number().optional(),
});
export type InventoryGpu = z.infer<typeof InventoryGpu>;

export const InventoryResult = z.strictObject({
  kind: z.literal("inventory"),
  gpus: z.array(InventoryGpu).max(64),
  facts: z.array(SourcedFact).max(300),
  cpus: z.number(),
  memoryBytes: Bytes,
  diskBytes: Bytes,
  freeDiskBytes: Bytes,
  kernel: z.string(),
  os: z.string(),
  engineVersion: z.string(),
  runtimes: z.array(z.string().max(80)).max(32),
  /** `/dev/net/tun`, which renters' VPNs need. */
  hasTun: z.boolean(),
  /** As the world sees them; of a range the first and how many. */
  ports: z.array(z.strictObject({ first: Port, count: z.int().positive() })).max(64),
  /** SHA-256 of the NVIDIA management library that is loaded, and its MD5 as Lium's validators compare it. */
  nvml: z.strictObject({ version: z.string(), md5: z.string(), sha256: z.string() }).optional(),
});
export type InventoryResult = z.infer<typeof InventoryResult>;

export const PortsResult = z.strictObject({
  kind: z.literal("ports"),
  open: z.array(PublicPort),
  /** That cannot be asked: not of the host's range, or in use. */
  refused: z.array(z.strictObject({ ...PublicPort.shape, code: z.string(), message: z.string() })),
});
export type PortsResult = z.infer<typeof PortsResult>;

/** Times by the host's clock, for diagnosis only: a validator trusts its own. */
const DiskResult = z.strictObject({ kind: z.literal("disk"), digest: Digest, writeMs: Millis, readMs: Millis });
const BandwidthResult = z.strictObject({ kind: z.literal("bandwidth"), port: Port });
const PodResult = z.strictObject({
  kind: z.literal("pod"),
  podId: PodId,
  ssh: PodStatus.shape.ssh.unwrap(),
  gpus: z.array(GpuUuid),
});

export const HostResult = z.discriminatedUnion("kind", [
  InventoryResult,
  PortsResult,
  DiskResult,
  BandwidthResult,
  PodResult,
]);
export type HostResult = z.infer<typeof HostResult>;

export const HostAnswerBody = z.strictObject({ challenge: Digest, result: HostResult });
export type HostAnswerBody = z.infer<typeof HostAnswerBody>;

export const HostAnswer = z.strictObject({ body: HostAnswerBody, signatures: Signatures });
export type HostAnswer = z.infer<typeof HostAnswer>;

/** `tcp/40001`. */
export function nameOf({ port, protocol }: PublicPort): string {
  return `${protocol}/${port}`;
}
