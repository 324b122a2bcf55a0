/**
 * What executor.toml may say of accelerators.
 */
import { z } from "zod";

export const GpusConfig = z.strictObject({
  /** Such as `8xH100` or `1xH100,2xArc`: GPUs that do not exist, for development; the machine's own are not looked for then. */
  simulate: z.string().default(""),
  /** How often what moves by the second is read. */
  quickSeconds: z.number().positive().max(60).default(5),
  /** How often everything is read, and looked for what is new. */
  fullSeconds: z.number().positive().max(60).default(30),
  /** The file of NVIDIA's library; looked for when left out. */
  nvmlLibrary: z.string().optional(),
  /** The program, or its path. */
  nvidiaSmi: z.string().default("nvidia-smi"),
});
export type GpusConfig = z.infer<typeof GpusConfig>;
