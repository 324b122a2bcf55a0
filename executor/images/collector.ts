/**
 * Keeps the engine's disk from filling up: looks at it every so often, removes what gc.ts lets go, one image at a time until
 * there is room again, and says when the host is too full for new pods. What cannot be measured changes nothing.
 */
import type { Clock } from "../../common/clock.ts";
import { createKeyedLock } from "../../common/keyed-lock.ts";
import type { Logger } from "../../common/logger.ts";
import { startTicker } from "../../common/ticker.ts";
import { AppError } from "../../protocol/errors.ts";
import { parseImageRef } from "../../protocol/image-ref.ts";
import type { Reason } from "../../protocol/pod.ts";
import type { ImageStore, LeftoverSum, StoredImage } from "../docker/image-store.ts";
import { engineName } from "./engine-name.ts";
import {
  decide,
  type DiskUsage,
  type GcInput,
  type HeldImage,
  isAbove,
  percentOf,
  removable,
  type Standing,
  standingOf,
  type Thresholds,
} from "./gc.ts";
import type { Images } from "./images.ts";
import type { ImageNotes } from "./notes.ts";

export interface CollectorOptions {
  readonly thresholds: Thresholds;
  readonly minAgeMs: number;
  readonly foreign: boolean;
  readonly everyMs: number;
  readonly pinned: readonly string[];
}

export interface CollectorDeps {
  readonly store: ImageStore;
  readonly images: Images;
  readonly notes: ImageNotes;
  /** Of the file system that the engine keeps its images on; undefined when it cannot be known now. */
  readonly usage: (signal: AbortSignal) => Promise<DiskUsage | undefined>;
  /** The images of pods that are not over, as they were asked for: some may have no container now. */
  readonly wanted: () => readonly string[];
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Collection {
  readonly before: DiskUsage;
  readonly after: DiskUsage;
  /** What was removed, or would be. */
  readonly removed: readonly HeldImage[];
  /** Layers of pulls that were cut short by the end of the engine, which go first. */
  readonly leftovers: LeftoverSum;
}

export interface ListedImage extends HeldImage {
  readonly standing: Standing;
}

export class ImageCollector {
  readonly #options: CollectorOptions;
  readonly #deps: CollectorDeps;
  readonly #pinned: ReadonlySet<string>;
  readonly #lock = createKeyedLock();
  readonly #closing = new AbortController();
  #usage: DiskUsage | undefined;
  #done: Promise<void> | undefined;

  constructor(options: CollectorOptions, deps: CollectorDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#pinned = new Set(options.pinned.map(engineName));
  }

  /** Resolves after the first look, so that a full host says so from its first moment on. */
  async start(): Promise<void> {
    await this.#measure(this.#closing.signal);
    const { clock, log } = this.#deps;
    const onError = (error: unknown): void => log.warn("the images cannot be looked at", { error });
    const run = (signal: AbortSignal): Promise<void> => this.#tick(signal);
    this.#done = startTicker({ clock, everyMs: this.#options.everyMs, run, onError }, this.#closing.signal).done;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#done;
  }

  /** As of the last look; undefined when it could never be measured. */
  get usage(): DiskUsage | undefined {
    return this.#usage;
  }

  /** Why no new pod may be taken, as of the last look; undefined when there is room, or when nothing is known. */
  pressure(): Reason | undefined {
    if (!this.#isAbove("refuse") || this.#usage === undefined) return undefined;
    const percent = {
      bytes: percentOf(this.#usage.bytes),
      inodes: this.#usage.inodes && percentOf(this.#usage.inodes),
    };
    const { bytes, inodes } = this.#options.thresholds;
    return {
      code: "disk-low",
      message: `The disk of the container engine is ${Math.floor(Math.max(percent.bytes, percent.inodes ?? 0))} % full.`,
      details: { percent, refuse: { bytes: bytes.refuse, inodes: inodes.refuse } },
    };
  }

  /** Whether there is room for an image that nobody waits for. */
  hasRoom(): boolean {
    return this.#usage !== undefined && !this.#isAbove("high");
  }

  /** All images of the engine, and why each stays. */
  async list(signal: AbortSignal): Promise<readonly ListedImage[]> {
    const images = await this.#look(signal);
    const context = this.#context(images.inUse);
    return images.held.map((image) => ({ ...image, standing: standingOf(image, context) }));
  }

  /** Makes room if the disk is too full. Rejects with `deadline-exceeded` when that cannot be measured. */
  async collect({ dryRun, signal }: { dryRun: boolean; signal: AbortSignal }): Promise<Collection> {
    const either = AbortSignal.any([signal, this.#closing.signal]);
    return this.#lock.run("collect", () => (dryRun ? this.#tell(either) : this.#collect(either)), either);
  }

  async #tick(signal: AbortSignal): Promise<void> {
    await this.#measure(signal);
    const { removed, leftovers, before, after } = await this.collect({ dryRun: false, signal });
    if (removed.length + leftovers.layers === 0) return;
    const names = removed.map((image) => image.names[0] ?? image.id);
    this.#deps.log.info("images were removed to make room", { names, leftovers, before, after });
  }

  async #tell(signal: AbortSignal): Promise<Collection> {
    const input = await this.#input(signal);
    const leftovers = await this.#clearLeftovers(input, { dryRun: true, signal });
    return { before: input.usage, after: input.usage, removed: decide(input), leftovers };
  }

  async #collect(signal: AbortSignal): Promise<Collection> {
    const decidedAtMs = this.#deps.clock.monotonic();
    const input = await this.#input(signal);
    const leftovers = await this.#clearLeftovers(input, { dryRun: false, signal });
    await this.#measure(signal);
    const removed: HeldImage[] = [];
    const candidates = isAbove(input.usage, "high", this.#options.thresholds) ? removable(input) : [];
    for (const image of candidates) {
      if (!this.#isAbove("low")) break;
      const outcome = await this.#deps.images.retire(image.id, decidedAtMs, () => this.#remove(image, signal));
      if (outcome === "removed") removed.push(image);
      await this.#measure(signal);
    }
    return { before: input.usage, after: this.#usage ?? input.usage, removed, leftovers };
  }

  /** What a pull has finished so far looks like a leftover until it is over. */
  async #clearLeftovers(
    input: GcInput,
    { dryRun, signal }: { dryRun: boolean; signal: AbortSignal },
  ): Promise<LeftoverSum> {
    const { store, notes } = this.#deps;
    const { unfinished } = notes;
    const mayGo = input.pulling.size === 0 && unfinished.length > 0 && isAbove(input.usage, "high", input.thresholds);
    if (!mayGo) return { layers: 0, sizeBytes: 0 };
    const repositories = new Set(unfinished.map(repositoryOf));
    return store.clearLeftovers({ sinceMs: input.nowMs - input.minAgeMs, repositories, dryRun }, signal);
  }

  async #input(signal: AbortSignal): Promise<GcInput> {
    const usage = await this.#measure(signal);
    if (usage === undefined) {
      throw new AppError("deadline-exceeded", { message: "The engine's file system does not say how full it is." });
    }
    const { held, inUse } = await this.#look(signal);
    return { ...this.#context(inUse), images: held, usage, thresholds: this.#options.thresholds };
  }

  #context(inUse: ReadonlySet<string>): Omit<GcInput, "images" | "usage" | "thresholds"> {
    const { minAgeMs, foreign } = this.#options;
    const pulling = new Set(this.#deps.images.pulling.map(({ name }) => name));
    return { inUse, pinned: this.#pinned, pulling, minAgeMs, foreign, nowMs: this.#deps.clock.now() };
  }

  /** A name goes, and the image with its last one. The engine refuses what a container needs. */
  async #remove({ id, names }: HeldImage, signal: AbortSignal): Promise<"removed" | "in-use"> {
    for (const name of names.length === 0 ? [id] : names) {
      if ((await this.#deps.store.remove(name, signal)) === "in-use") return "in-use";
    }
    return "removed";
  }

  /** What is in use now was used last now; images that are gone are forgotten. */
  async #look(signal: AbortSignal): Promise<{ held: readonly HeldImage[]; inUse: ReadonlySet<string> }> {
    const { store, notes, clock } = this.#deps;
    const nowMs = clock.now();
    const images = await store.list(signal);
    const wanted = new Set(this.#deps.wanted().map(engineName));
    const needed = images.filter((image) => namesOf(image).some((name) => wanted.has(name))).map(({ id }) => id);
    const inUse = new Set([...(await store.inUse(signal)), ...needed]);
    notes.keepOnly(new Set(images.map(({ id }) => id)), nowMs);
    for (const { id } of images) {
      // One that is new to us counts as just used, and so does one whose last use lies ahead: the clock was set back.
      const sinceUseMs = nowMs - (notes.get(id)?.lastUsedAtMs ?? Infinity);
      if (sinceUseMs < 0 || inUse.has(id)) notes.use(id);
    }
    return { held: images.map((image) => this.#held(image)), inUse };
  }

  #held(image: StoredImage): HeldImage {
    const note = this.#deps.notes.get(image.id);
    const pulled = note?.references ?? [];
    return {
      id: image.id,
      names: namesOf(image),
      sizeBytes: image.sizeBytes,
      lastUsedAtMs: note?.lastUsedAtMs ?? this.#deps.clock.now(),
      ours: pulled.length > 0 && image.references.every((name) => pulled.includes(name)),
    };
  }

  /** What cannot be measured now is as it was. */
  async #measure(signal: AbortSignal): Promise<DiskUsage | undefined> {
    this.#usage = (await this.#deps.usage(signal)) ?? this.#usage;
    return this.#usage;
  }

  #isAbove(mark: "high" | "low" | "refuse"): boolean {
    return this.#usage !== undefined && isAbove(this.#usage, mark, this.#options.thresholds);
  }
}

function repositoryOf(name: string): string {
  const { registry, repository } = parseImageRef(name);
  return `${registry}/${repository}`;
}

function namesOf({ references, digests }: StoredImage): readonly string[] {
  return [...references, ...digests];
}
