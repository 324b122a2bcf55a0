/**
 * The parts of the images, made and started: whoever starts them closes them, and no pull outlives the executor.
 */
import { join } from "node:path";

import type { Clock } from "../../common/clock.ts";
import type { Logger } from "../../common/logger.ts";
import type { ImageStore } from "../docker/image-store.ts";
import { ImageCollector } from "./collector.ts";
import type { ImagesConfig } from "./config.ts";
import { createDiskUsage } from "./disk-usage.ts";
import { Images } from "./images.ts";
import { ImageNotes } from "./notes.ts";
import { PrePull } from "./pre-pull.ts";

export interface ImagesInput {
  readonly config: ImagesConfig;
  readonly stateDir: string;
  /** Where the engine keeps its images. */
  readonly engineRootDir: string;
  /** The images of pods that are not over. */
  readonly wanted: () => readonly string[];
  readonly store: ImageStore;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
}

export interface ImageParts {
  readonly images: Images;
  readonly collector: ImageCollector;
  close(): Promise<void>;
}

export async function startImages(input: ImagesInput): Promise<ImageParts> {
  const { config, clock } = input;
  const log = input.log.child({ part: "images" });
  const notes = await ImageNotes.open(join(input.stateDir, "images.json"), { clock, log });
  const pinned = [...config.pinned, ...config.prePull];
  const images = new Images(
    { inactivityMs: config.inactivitySeconds * 1000, vouched: pinned },
    { ...input, log, notes },
  );
  const collector = new ImageCollector(
    {
      thresholds: config.gc,
      minAgeMs: config.gc.minAgeSeconds * 1000,
      foreign: config.gc.foreign,
      everyMs: config.gc.everySeconds * 1000,
      pinned,
    },
    { ...input, log, images, notes, usage: createDiskUsage(input.engineRootDir, clock) },
  );
  const prePull = new PrePull(
    { references: config.prePull, everyMs: config.prePullEverySeconds * 1000 },
    { ...input, log, images, hasRoom: () => collector.hasRoom() },
  );
  await collector.start();
  prePull.start();
  const close = async (): Promise<void> => {
    await Promise.all([prePull.close(), collector.close()]);
    await notes.close();
  };
  return { images, collector, close };
}
