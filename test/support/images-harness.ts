/**
 * The images of an executor over the fake store, with a clock that the test moves and a disk that it fills.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { onTestFinished } from "vitest";

import { ImageCollector } from "../../executor/images/collector.ts";
import { type ImagesConfig, ImagesConfig as Config } from "../../executor/images/config.ts";
import type { DiskUsage } from "../../executor/images/gc.ts";
import { Images } from "../../executor/images/images.ts";
import { ImageNotes } from "../../executor/images/notes.ts";
import { FakeClock } from "./fake-clock.ts";
import { FakeImageStore, type RemoteImage, type SlowPull } from "./fake-image-store.ts";
import { loggerToMemory } from "./memory-log.ts";

export const RENTER = { owner: "renter" };
export const SIGNAL = new AbortController().signal;

export interface ImagesHarness {
  readonly clock: FakeClock;
  readonly store: FakeImageStore;
  readonly notes: ImageNotes;
  readonly images: Images;
  readonly collector: ImageCollector;
  readonly logged: readonly string[];
  /** What pods want that may have no container. */
  readonly wanted: string[];
  /** The disk, as it is measured; undefined when it cannot be. */
  disk: () => DiskUsage | undefined;
  /** Puts an image into the registry and gives its name. */
  readonly serve: (name: string, over?: Partial<RemoteImage>) => string;
  /** The only pull that waits for the test, as soon as there is one. */
  readonly slowPull: () => Promise<SlowPull>;
}

export interface HarnessInput {
  readonly config?: Parameters<typeof Config.parse>[0];
  /** Notes of an earlier run. */
  readonly notesFile?: string;
}

export async function imagesHarness({ config, notesFile }: HarnessInput = {}): Promise<ImagesHarness> {
  const parsed: ImagesConfig = Config.parse(config ?? {});
  const clock = new FakeClock();
  const store = new FakeImageStore(clock);
  const { log, logged } = loggerToMemory();
  const notes = await ImageNotes.open(notesFile ?? notesPath(), { clock, log });
  onTestFinished(() => notes.close());
  const random = (): number => 0;
  const pinned = [...parsed.pinned, ...parsed.prePull];
  const deps = { store, notes, clock, log, random };
  const images = new Images({ inactivityMs: parsed.inactivitySeconds * 1000, vouched: pinned }, deps);
  const harness: ImagesHarness = {
    clock,
    store,
    notes,
    images,
    collector: new ImageCollector(
      {
        thresholds: parsed.gc,
        minAgeMs: parsed.gc.minAgeSeconds * 1000,
        foreign: parsed.gc.foreign,
        everyMs: 30_000,
        pinned,
      },
      { ...deps, images, usage: async () => harness.disk(), wanted: () => harness.wanted },
    ),
    logged,
    wanted: [],
    disk: () => ({ bytes: { used: 10, total: 100 }, inodes: undefined }),
    serve: (name, over = {}) => {
      const reference = `registry.test/${name}:1`;
      store.registry.set(reference, { id: `sha256:${name}`, ...over });
      return reference;
    },
    slowPull: async () => {
      await clock.advance(0);
      const [pull, another] = store.slow;
      if (pull === undefined || another !== undefined) throw new Error(`${store.slow.length} pulls wait`);
      return pull;
    },
  };
  return harness;
}

/** Where notes may be written, until the end of the test. */
export function notesPath(): string {
  const folder = mkdtempSync(join(tmpdir(), "lium-images-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return join(folder, "images.json");
}
