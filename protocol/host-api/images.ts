/**
 * The host API's words about images: what is kept at hand, what is being pulled, and what goes when the disk fills up.
 */
import { z } from "zod";

import { Instant } from "../ids.ts";
import { ImageReference } from "../image-ref.ts";
import { route } from "../route.ts";
import { Nothing } from "../validator-api.ts";

const Fill = z.strictObject({ used: z.number(), total: z.number() });

/** Of the file system that the engine keeps its images on. */
export const EngineDisk = z.strictObject({
  bytes: Fill,
  /** Absent where the file system does not count them. */
  inodes: Fill.optional(),
});
export type EngineDisk = z.infer<typeof EngineDisk>;

/**
 * Why an image stays: a container is made of it or a pod wants it, the operator pinned it, it is being pulled, others
 * brought it here, or it was used a moment ago. Or that it may go when room is needed.
 */
export const ImageStanding = z.enum(["in-use", "pinned", "pulling", "foreign", "young", "removable"]);
export type ImageStanding = z.infer<typeof ImageStanding>;

export const ImageSummary = z.strictObject({
  id: z.string(),
  /** Tags, then digests; none for an image that lost its name to a newer one. */
  names: z.array(z.string()),
  /** With layers that it shares with others. */
  sizeBytes: z.number(),
  lastUsedAt: Instant,
});
export type ImageSummary = z.infer<typeof ImageSummary>;

export const ImageView = z.strictObject({ ...ImageSummary.shape, standing: ImageStanding });
export type ImageView = z.infer<typeof ImageView>;

export const PullProgress = z.strictObject({
  doneBytes: z.number(),
  totalBytes: z.number(),
  bytesPerSecond: z.number().optional(),
  etaSeconds: z.number().optional(),
});
export type PullProgress = z.infer<typeof PullProgress>;

export const ImageList = z.strictObject({
  /** Absent when it cannot be measured now. */
  disk: EngineDisk.optional(),
  images: z.array(ImageView),
  /** `rental`: a renter waits for it. */
  pulling: z.array(z.strictObject({ name: z.string(), rental: z.boolean(), progress: PullProgress.optional() })),
});
export type ImageList = z.infer<typeof ImageList>;

export const ImageCollection = z.strictObject({
  dryRun: z.boolean(),
  before: EngineDisk,
  after: EngineDisk,
  /** What was removed, or would be; in a dry run an estimate. */
  removed: z.array(ImageSummary),
  /** Layers that belong to no image: of pulls that were cut short by the end of the engine. */
  leftovers: z.strictObject({ layers: z.int(), sizeBytes: z.number() }),
});
export type ImageCollection = z.infer<typeof ImageCollection>;

export const ImagePin = z.strictObject({
  reference: z.string(),
  /** Whether it is pulled ahead of time, or only kept. */
  prePull: z.boolean(),
  here: z.boolean(),
});
export type ImagePin = z.infer<typeof ImagePin>;

/** One line of a pull: how far it is, or at last the image. */
export const PullLine = z.strictObject({ progress: PullProgress.optional(), imageId: z.string().optional() });
export type PullLine = z.infer<typeof PullLine>;

const common = { auth: "open", params: Nothing, query: Nothing, status: 200 } as const;

export const imageRoutes = {
  listImages: route({
    ...common,
    method: "GET",
    path: "/images",
    summary: "All images of the engine, why each stays, and what is being pulled",
    answer: "json",
    body: Nothing,
    response: ImageList,
    errors: ["engine-unavailable", "engine-error"],
  }),
  pullImage: route({
    ...common,
    method: "POST",
    path: "/images/pulls",
    summary: "Pulls an image that needs no credentials",
    answer: "ndjson",
    body: z.strictObject({ reference: ImageReference }),
    response: PullLine,
    errors: [
      "image-not-found",
      "image-auth-failed",
      "image-rate-limited",
      "image-digest-mismatch",
      "image-incompatible",
      "image-pull-failed",
      "image-pull-stalled",
      "disk-low",
      "engine-unavailable",
      "engine-error",
    ],
  }),
  collectImages: route({
    ...common,
    method: "POST",
    path: "/images/collections",
    summary: "Makes room now if the disk is beyond its high mark",
    answer: "json",
    body: z.strictObject({ dryRun: z.boolean().default(false) }),
    response: ImageCollection,
    errors: ["engine-unavailable", "engine-error"],
  }),
  listPins: route({
    ...common,
    method: "GET",
    path: "/images/pins",
    summary: "The images that the configuration keeps at hand",
    answer: "json",
    body: Nothing,
    response: z.strictObject({ pins: z.array(ImagePin) }),
    errors: ["engine-unavailable", "engine-error"],
  }),
};
