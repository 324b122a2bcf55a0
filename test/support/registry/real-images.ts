/**
 * The executor's images over a real engine, for one test: real time, a folder of its own, no disk to watch.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { onTestFinished } from "vitest";

import { systemClock } from "../../../common/clock.ts";
import type { ImageStore } from "../../../executor/docker/image-store.ts";
import { ImagesConfig } from "../../../executor/images/config.ts";
import { type ImageParts, startImages } from "../../../executor/images/start.ts";
import { loggerToMemory } from "../memory-log.ts";

export interface RealImagesInput {
  readonly store: ImageStore;
  readonly config?: Parameters<typeof ImagesConfig.parse>[0];
  readonly engineRootDir?: string;
  readonly wanted?: () => readonly string[];
}

export async function realImages(input: RealImagesInput): Promise<ImageParts & { readonly logged: readonly string[] }> {
  const stateDir = mkdtempSync(join(tmpdir(), "lium-images-"));
  const { log, logged } = loggerToMemory();
  const parts = await startImages({
    config: ImagesConfig.parse(input.config ?? {}),
    stateDir,
    engineRootDir: input.engineRootDir ?? stateDir,
    wanted: input.wanted ?? (() => []),
    store: input.store,
    clock: systemClock(),
    log,
    random: Math.random,
  });
  onTestFinished(async () => {
    await parts.close();
    rmSync(stateDir, { recursive: true });
  });
  return { ...parts, logged };
}
