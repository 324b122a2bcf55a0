/**
 * The section `images` of executor.toml: which images are kept at hand, and how full the engine's disk may get.
 */
import { z } from "zod";

import { ImageReference } from "../../protocol/image-ref.ts";

const Percent = z.number().min(1).max(100);

/** In percent of what the file system has. */
const Marks = z
  .strictObject({
    /** Above it images go, those first that were not used for longest ... */
    high: Percent.default(85),
    /** ... until no more than this is in use. */
    low: Percent.default(75),
    /** Above it no new pod is taken. */
    refuse: Percent.default(95),
  })
  .refine(({ high, low, refuse }) => low < high && high < refuse, "must be low < high < refuse");

export const ImagesConfig = z.strictObject({
  /** Pulled while nothing else is; kept, and given to every renter. */
  prePull: z.array(ImageReference).default([]),
  prePullEverySeconds: z.number().positive().default(600),
  /** Kept, and given to every renter, wherever they came from. */
  pinned: z.array(ImageReference).default([]),
  /** A pull in which nothing moves for so long is given up; one that moves is not, however slow. */
  inactivitySeconds: z.number().positive().default(60),
  gc: z
    .strictObject({
      bytes: Marks.prefault({}),
      inodes: Marks.prefault({}),
      everySeconds: z.number().positive().default(30),
      /** What was used within this time stays. */
      minAgeSeconds: z.number().min(0).default(600),
      /** Whether images may go that others brought here. */
      foreign: z.boolean().default(false),
    })
    .prefault({}),
});
export type ImagesConfig = z.infer<typeof ImagesConfig>;
