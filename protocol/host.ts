/**
 * What a host is: facts that change rarely, measured by its executor.
 */
import { z } from "zod";

import { Gpu } from "./gpu.ts";

/** What may be rented out: the machine less the operator's reserve. */
export const HostResources = z.strictObject({
  cpus: z.number().nonnegative(),
  memoryBytes: z.int().nonnegative(),
  diskBytes: z.int().nonnegative(),
});
export type HostResources = z.infer<typeof HostResources>;

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
  gpus: z.array(Gpu).max(64),
});
export type HostFacts = z.infer<typeof HostFacts>;
