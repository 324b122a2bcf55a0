/**
 * What a host is and what troubles it: facts that change rarely, measured by its executor.
 */
import { z } from "zod";

import { Gpu, GpuLink } from "./gpu.ts";
import { Instant } from "./ids.ts";

export const MAX_GPUS = 64;
export const MAX_LINKED_DEVICES = 16;

/** What may be rented out: the machine less the operator's reserve. */
export const HostResources = z.strictObject({
  cpus: z.number().nonnegative(),
  memoryBytes: z.int().nonnegative(),
  diskBytes: z.int().nonnegative(),
});
export type HostResources = z.infer<typeof HostResources>;

/** Something that keeps a host from its work; it is gone from the list once it is over. `code` is one of errors.ts. */
export const HostProblem = z.strictObject({ code: z.string(), message: z.string(), since: Instant });
export type HostProblem = z.infer<typeof HostProblem>;

/** Whether it keeps every pod away: where one vendor's GPUs cannot be given to pods, only those are missing. */
export function closesHost({ code }: HostProblem): boolean {
  return code !== "gpu-passthrough-missing";
}

export const HostFacts = z.strictObject({
  hostname: z.string(),
  os: z.string(),
  kernel: z.string(),
  arch: z.string(),
  cpuModel: z.string(),
  engineVersion: z.string(),
  executorVersion: z.string(),
  /** Where renters reach published ports. */
  publicAddress: z.string(),
  /** base64 of the x25519 public key that renters seal secrets to. */
  sealingKey: z.string(),
  total: HostResources,
  rentable: HostResources,
  gpus: z.array(Gpu).max(MAX_GPUS),
  /** Between every two devices; left out by executors that do not say, and where there are more than 16 devices. */
  gpuLinks: z
    .array(GpuLink)
    .max((MAX_LINKED_DEVICES * (MAX_LINKED_DEVICES - 1)) / 2)
    .optional(),
  /** Whether pods of several renters may run at once: only where each pod's disk has a hard limit. */
  shared: z.boolean().default(true),
  problems: z.array(HostProblem).default([]),
});
export type HostFacts = z.infer<typeof HostFacts>;
