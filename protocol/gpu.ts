/**
 * A GPU as a host reports it, and how it reaches the others of its host. What cannot be read is absent, never zero.
 */
import { z } from "zod";

import { PciPath } from "./accelerator.ts";
import { GpuUuid } from "./ids.ts";

const Slices = z.int().nonnegative();

/** The unit is a part of a device, with memory and compute of its own. */
export const GpuPartition = z.strictObject({
  /** The device. No unit itself while it is cut. */
  parent: GpuUuid,
  /** As the vendor calls it, such as `1g.10gb`. */
  profile: z.string().min(1).max(40).optional(),
  computeSlices: Slices.optional(),
  memorySlices: Slices.optional(),
});
export type GpuPartition = z.infer<typeof GpuPartition>;

export const Gpu = z.strictObject({
  uuid: GpuUuid,
  vendor: z.enum(["nvidia", "amd", "intel"]),
  model: z.string().min(1).max(80),
  memoryBytes: z.int().positive(),
  /** Made up for development; never offered outside a development network. */
  simulated: z.boolean(),
  partition: GpuPartition.optional(),
});
export type Gpu = z.infer<typeof Gpu>;

/** The way between two whole devices. */
export const GpuLink = z.strictObject({
  a: GpuUuid,
  b: GpuUuid,
  path: PciPath.optional(),
  /** Between the two, or where both end at switches the fewer of the two's. */
  nvlinks: z.int().nonnegative().optional(),
  overSwitch: z.boolean().optional(),
  /** KFD's: one hop over XGMI is 15 or less. */
  xgmiWeight: z.int().nonnegative().optional(),
});
export type GpuLink = z.infer<typeof GpuLink>;
