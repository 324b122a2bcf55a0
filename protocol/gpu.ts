/**
 * A GPU as a host reports it. What cannot be read is absent, never zero.
 */
import { z } from "zod";

import { GpuUuid } from "./ids.ts";

export const Gpu = z.strictObject({
  uuid: GpuUuid,
  vendor: z.enum(["nvidia", "amd", "intel"]),
  model: z.string().min(1).max(80),
  memoryBytes: z.int().positive(),
  /** Made up for development; never offered outside a development network. */
  simulated: z.boolean(),
});
export type Gpu = z.infer<typeof Gpu>;
