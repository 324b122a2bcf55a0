/**
 * The section `strays` of executor.toml.
 */
import { z } from "zod";

export const StraysConfig = z
  .strictObject({
    /** How long something has to lie about before it is removed. */
    graceSeconds: z.number().min(0).default(600),
    everySeconds: z.number().positive().default(300),
  })
  .prefault({});
export type StraysConfig = z.infer<typeof StraysConfig>;
