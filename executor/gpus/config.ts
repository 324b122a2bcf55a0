/**
 * What executor.toml may say of accelerators.
 */
import { z } from "zod";

import { GpuUuid } from "../../protocol/ids.ts";
import { FindingClass } from "./health/finding.ts";

export const GpusConfig = z.strictObject({
  /**
   * Such as `8xH100`, `1xH100,2xArc` or `2xH100:7x1g.10gb`: GPUs that do not exist, for development; the machine's own are
   * not looked for then.
   */
  simulate: z.string().default(""),
  /** How often what moves by the second is read. */
  quickSeconds: z.number().positive().max(60).default(5),
  /** How often everything is read, and looked for what is new. */
  fullSeconds: z.number().positive().max(60).default(30),
  /** The file of NVIDIA's library; looked for when left out. */
  nvmlLibrary: z.string().optional(),
  /** The program, or its path. */
  nvidiaSmi: z.string().default("nvidia-smi"),
  /** How GPUs are to be cut, by their UUIDs: `"GPU-..." = ["3g.40gb", "3g.40gb"]`. Those that are not named stay as they are. */
  mig: z
    .record(
      GpuUuid,
      z
        .array(z.string().regex(/^\d+g\.\d+gb\S*$/))
        .min(1)
        .max(8),
    )
    .default({}),
  /** The kernel's log; with made-up GPUs a file in the state folder that lines are added to. */
  kernelLog: z.string().optional(),
  health: z
    .strictObject({
      /** Other classes for Xids: `{ "13" = "watch" }`. */
      xid: z.record(z.string().regex(/^\d{1,4}$/), FindingClass).default({}),
      /** Whether the machine may be booted where nothing else helps a GPU, once no pod is on it. */
      reboot: z.boolean().default(false),
    })
    .prefault({}),
});
export type GpusConfig = z.infer<typeof GpusConfig>;
