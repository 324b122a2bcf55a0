/**
 * `metering` in executor.toml.
 */
import { z } from "zod";

export const MeteringConfig = z.strictObject({
  /** An interval of usage is closed after so long at the latest; what is open is what a power cut may lose. */
  entrySeconds: z.number().positive().max(3_600).default(60),
  /** Entries that are older go; a signed checkpoint takes their place. */
  keepDays: z.number().positive().default(90),
});
export type MeteringConfig = z.infer<typeof MeteringConfig>;
