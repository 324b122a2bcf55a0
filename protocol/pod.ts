/**
 * The words for a pod: what a caller asks for, what the agent wants of a host, what the host reports back.
 *
 * Sizes are bytes, instants ISO 8601 in UTC, durations name their unit. Unknown fields are refused.
 */
import { z } from "zod";

import { GpuUuid, Hotkey, HostId, Instant, PodId } from "./ids.ts";
import { ImageReference } from "./image-ref.ts";
import { Sealed } from "./sealed.ts";
import { SshPublicKey } from "./ssh-key.ts";
import { VolumeRequest } from "./volume.ts";

const MIB = 2 ** 20;
const NO_NUL = /^[^\0]*$/;

const Argv = z.array(z.string().max(32_768).regex(NO_NUL)).min(1).max(256);
const EnvName = z
  .string()
  .max(256)
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/);

/** A plain environment; also the JSON that a sealed environment opens to. */
export const Environment = z
  .record(EnvName, z.string().max(131_072).regex(NO_NUL))
  .refine((env) => Object.keys(env).length <= 512, "at most 512 variables");
export type Environment = z.infer<typeof Environment>;

/** A list of canonical key lines, each key once. */
const SshKeys = z
  .array(SshPublicKey)
  .min(1)
  .max(64)
  .transform((keys) => [...new Set(keys)]);

/** At `expiresAt` the pod is stopped; `graceSeconds` later it is removed. A later `expiresAt` in between brings it back. */
export const Lease = z.strictObject({
  expiresAt: Instant,
  graceSeconds: z.int().min(0).max(2_592_000).default(300),
});
export type Lease = z.infer<typeof Lease>;

export const PortRequest = z.strictObject({
  containerPort: z.int().min(1).max(65_535),
  protocol: z.enum(["tcp", "udp"]).default("tcp"),
});

export const GpuRequest = z
  .strictObject({
    count: z.int().min(0).max(64).default(0),
    /** Matches a part of the model's name, in any case: "H100". */
    model: z.string().min(1).max(80).optional(),
    uuids: z.array(GpuUuid).max(64).optional(),
  })
  .refine(
    (gpus) => gpus.uuids === undefined || gpus.uuids.length === gpus.count,
    "uuids must list as many GPUs as count",
  )
  .refine((gpus) => new Set(gpus.uuids).size === (gpus.uuids?.length ?? 0), "uuids must differ");
export type GpuRequest = z.infer<typeof GpuRequest>;

export const PodSpec = z
  .strictObject({
    image: ImageReference,
    registryAuth: z.strictObject({ username: z.string().min(1).max(256), password: Sealed }).optional(),
    entrypoint: Argv.optional(),
    command: Argv.optional(),
    env: Environment.default({}),
    /** JSON of an Environment, sealed to the host's sealingKey; its values win over `env`. */
    sealedEnv: Sealed.optional(),
    gpus: GpuRequest.default({ count: 0 }),
    cpus: z.number().min(0.01).max(1024).default(1),
    memoryBytes: z
      .int()
      .min(16 * MIB)
      .default(1024 * MIB),
    shmBytes: z
      .int()
      .min(0)
      .default(64 * MIB),
    pidsLimit: z.int().min(16).max(65_536).default(4096),
    diskBytes: z
      .int()
      .min(64 * MIB)
      .default(10 * 1024 * MIB),
    readOnlyRoot: z.boolean().default(false),
    ports: z.array(PortRequest).max(64).default([]),
    /** A volume that outlives the pod; the same owner and name give the same data on that host. */
    volume: z
      .strictObject({
        ...VolumeRequest.shape,
        mountPath: z
          .string()
          .max(256)
          .regex(/^\/[^\0:]+$/)
          .refine(isSafeMountPath, "must be an absolute path without '..', outside /.lium, /proc, /sys and /dev"),
      })
      .optional(),
    sshKeys: SshKeys,
    /** Whether the main process is started again when it ends by itself; `on-failure`: with another status than 0. */
    restart: z.enum(["never", "on-failure", "always"]).default("on-failure"),
    lease: Lease,
    labels: z.record(z.string().regex(/^[a-z0-9][a-z0-9./-]{0,62}$/), z.string().max(256)).default({}),
  })
  .refine((spec) => spec.shmBytes <= spec.memoryBytes, { path: ["shmBytes"], message: "must not exceed memoryBytes" })
  .refine(
    (spec) => new Set(spec.ports.map((port) => `${port.containerPort}/${port.protocol}`)).size === spec.ports.length,
    {
      path: ["ports"],
      message: "must not repeat a port",
    },
  );
export type PodSpec = z.infer<typeof PodSpec>;
/** A spec as a caller writes it, defaults left out. */
export type PodSpecInput = z.input<typeof PodSpec>;

function isSafeMountPath(path: string): boolean {
  const parts = path.split("/").slice(1);
  if (parts.some((part) => part === "" || part === "." || part === "..")) return false;
  return ![".lium", "proc", "sys", "dev"].includes(parts[0] ?? "");
}

/** Why a pod ends, as a word that operators and validators can count. */
export const EndReason = z.enum(["requested", "operator", "lease-ended", "failed"]);
export type EndReason = z.infer<typeof EndReason>;

/**
 * What the agent wants of one pod on one host. `revision` grows with every change; the host ignores older ones.
 * `runs` grows with every request to start or restart: the main process must have begun after the newest one.
 */
export const WantedPod = z.strictObject({
  podId: PodId,
  owner: Hotkey,
  revision: z.int().positive(),
  goal: z.enum(["running", "stopped", "ended"]),
  runs: z.int().positive(),
  endReason: EndReason.optional(),
  gpus: z.array(GpuUuid),
  spec: PodSpec,
});
export type WantedPod = z.infer<typeof WantedPod>;

/**
 * Where a pod is in its life. The diagram stands beside the code that derives it, in executor/pods/state.ts.
 * `unknown`: the host or its engine does not answer; nothing is concluded from that.
 */
export const PodPhase = z.enum([
  "pending",
  "pulling",
  "creating",
  "starting",
  "running",
  "degraded",
  "stopping",
  "stopped",
  "exited",
  "ending",
  "ended",
  "failed",
  "unknown",
]);
export type PodPhase = z.infer<typeof PodPhase>;

/** Phases after which nothing of the pod is left on the host. */
export function isOver(phase: PodPhase): boolean {
  return phase === "ended" || phase === "failed";
}

export const Reason = z.strictObject({
  code: z.string(),
  message: z.string(),
  details: z.record(z.string(), z.unknown()).optional(),
});
export type Reason = z.infer<typeof Reason>;

const PublishedPort = z.strictObject({
  containerPort: z.int(),
  protocol: z.enum(["tcp", "udp"]),
  /** The port on the host. */
  hostPort: z.int(),
  /** The port that renters use; differs from hostPort behind a router that maps ports. */
  publicPort: z.int(),
});

/** Milliseconds since the request arrived; a stage that has not been reached is absent. */
export const Timeline = z.strictObject({
  accepted: z.number().optional(),
  pulled: z.number().optional(),
  created: z.number().optional(),
  started: z.number().optional(),
  sshReady: z.number().optional(),
});
export type Timeline = z.infer<typeof Timeline>;

/** How the main process ended. */
export const PodExit = z.strictObject({
  code: z.int(),
  oomKilled: z.boolean(),
  at: Instant,
  /** In words: "out of memory", "signal SIGSEGV", "exit code 3", "the host went down". */
  cause: z.string().optional(),
  /** How often in a row it ended soon after its start, this time included. */
  tries: z.int().positive().optional(),
  /** When it is started again, unless something changes; absent when it is not. */
  nextTryAt: Instant.optional(),
  /** The last lines that it wrote. */
  log: z.array(z.string()).max(100).optional(),
});
export type PodExit = z.infer<typeof PodExit>;

/** A pod as its host sees it. */
export const PodStatus = z.strictObject({
  podId: PodId,
  /** The revision of the wish that this status answers. */
  revision: z.int(),
  phase: PodPhase,
  since: Instant,
  reason: Reason.optional(),
  endReason: EndReason.optional(),
  gpus: z.array(GpuUuid),
  ports: z.array(PublishedPort),
  ssh: z.strictObject({ host: z.string(), port: z.int(), user: z.literal("root"), hostKey: z.string() }).optional(),
  pull: z
    .strictObject({
      doneBytes: z.int(),
      totalBytes: z.int(),
      bytesPerSecond: z.int().optional(),
      /** Until all is downloaded; absent while nobody can know it. */
      etaSeconds: z.int().optional(),
    })
    .optional(),
  exit: PodExit.optional(),
  /** Since when the renter does not pay, because of us: the first probe that failed. Absent while the pod can be used. */
  unbilledSince: Instant.optional(),
  timelineMs: Timeline,
});
export type PodStatus = z.infer<typeof PodStatus>;

/** A pod as the agent shows it: what was asked, where it is, how it does. Sealed values stay sealed. */
export const PodView = z.strictObject({
  podId: PodId,
  owner: Hotkey,
  hostId: HostId,
  createdAt: Instant,
  goal: z.enum(["running", "stopped", "ended"]),
  /** False for a pod that a host reports and this agent did not create. */
  claimed: z.boolean(),
  /** Whether the host is connected, so that `status` is current. */
  live: z.boolean(),
  spec: PodSpec,
  status: PodStatus,
});
export type PodView = z.infer<typeof PodView>;

/** Something that happened to a pod. `cursor` orders the events of one agent or one host. */
export const PodEvent = z.strictObject({
  cursor: z.int(),
  podId: PodId,
  at: Instant,
  code: z.string(),
  message: z.string(),
  /** Whose doing it was. */
  fault: z.enum(["none", "renter", "provider", "network"]),
  details: z.record(z.string(), z.unknown()).optional(),
});
export type PodEvent = z.infer<typeof PodEvent>;

/** One line that a pod's main process wrote. */
export const LogLine = z.strictObject({
  at: z.string(),
  stream: z.enum(["stdout", "stderr"]),
  line: z.string(),
});
export type LogLine = z.infer<typeof LogLine>;

export const LogQuery = z.strictObject({
  follow: z.stringbool().default(false),
  tail: z.coerce.number().int().min(0).max(100_000).default(1000),
  since: Instant.optional(),
});
export type LogQuery = z.infer<typeof LogQuery>;
