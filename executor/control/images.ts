/**
 * Images, for the host's operator.
 */
import type { Handlers } from "../../common/http-server.ts";
import type { EngineDisk, ImagePin, imageRoutes, ImageSummary, PullLine } from "../../protocol/host-api/images.ts";
import type { ImageCollector } from "../images/collector.ts";
import type { ImagesConfig } from "../images/config.ts";
import type { DiskUsage, HeldImage } from "../images/gc.ts";
import type { Images } from "../images/images.ts";
import type { HostOperator } from "./server.ts";

export interface ImagesControl {
  readonly images: Pick<Images, "ensure" | "local" | "pulling">;
  readonly collector: Pick<ImageCollector, "list" | "collect" | "usage">;
  readonly config: Pick<ImagesConfig, "pinned" | "prePull">;
}

const OPERATOR = { owner: "operator" };

export function imageHandlers(control: ImagesControl): Handlers<typeof imageRoutes, HostOperator> {
  const { images, collector } = control;
  return {
    listImages: async ({ signal }) => {
      const held = await collector.list(signal);
      return {
        ...(collector.usage === undefined ? {} : { disk: diskOf(collector.usage) }),
        images: held.map(({ standing, ...image }) => ({ ...summaryOf(image), standing })),
        pulling: [...images.pulling],
      };
    },
    pullImage: ({ body, signal }) => pull(images, body.reference, signal),
    collectImages: async ({ body: { dryRun }, signal }) => {
      const { before, after, removed, leftovers } = await collector.collect({ dryRun, signal });
      return { dryRun, before: diskOf(before), after: diskOf(after), removed: removed.map(summaryOf), leftovers };
    },
    listPins: async ({ signal }) => ({ pins: await pinsOf(control, signal) }),
  };
}

function diskOf({ bytes, inodes }: DiskUsage): EngineDisk {
  return { bytes, ...(inodes === undefined ? {} : { inodes }) };
}

function summaryOf({ id, names, sizeBytes, lastUsedAtMs }: HeldImage): ImageSummary {
  return { id, names: [...names], sizeBytes, lastUsedAt: new Date(lastUsedAtMs).toISOString() };
}

async function pinsOf({ images, config }: ImagesControl, signal: AbortSignal): Promise<ImagePin[]> {
  const pins = new Map([
    ...config.pinned.map((reference) => [reference, false] as const),
    ...config.prePull.map((reference) => [reference, true] as const),
  ]);
  return Promise.all(
    [...pins].map(async ([reference, prePull]) => {
      const here = (await images.local(reference, OPERATOR, signal)) !== undefined;
      return { reference, prePull, here };
    }),
  );
}

/** Only the newest progress is told: who reads slowly misses some of it. */
async function* pull(
  images: ImagesControl["images"],
  reference: string,
  signal: AbortSignal,
): AsyncGenerator<PullLine> {
  let newest: PullLine["progress"];
  let told = Promise.withResolvers<void>();
  const onProgress = (progress: NonNullable<typeof newest>): void => {
    newest = progress;
    told.resolve();
  };
  const pulled = images.ensure(reference, { ...OPERATOR, background: true, onProgress, signal });
  const over = pulled.then(
    () => true,
    () => true,
  );
  while (!(await Promise.race([over, told.promise.then(() => false)]))) {
    told = Promise.withResolvers();
    if (newest !== undefined) yield { progress: newest };
  }
  yield { imageId: (await pulled).id };
}
