/**
 * The port to the engine's images: what is here, what containers are made of, bringing one here, taking one away.
 *
 * Every call may reject with `engine-unavailable` (nothing is known about the outcome) or `engine-error`.
 * References are in full, as parseImageRef writes them. The fake in test/support and the real engine pass the same suite,
 * test/compliance/image-store.suite.ts.
 */
import type { ImageInfo } from "./runtime.ts";

/** What a pod needs to know of an image, and where it came from. */
export interface FoundImage extends ImageInfo {
  /** `registry/repository@digest` for each registry that it came from; none when it was built or loaded here. */
  readonly digests: readonly string[];
}

export interface StoredImage {
  readonly id: string;
  /** `registry/repository:tag`; none for one that lost its name to a newer image, or that was pulled by its digest. */
  readonly references: readonly string[];
  readonly digests: readonly string[];
  /** With layers that it shares with others. */
  readonly sizeBytes: number;
}

export interface RegistryAuth {
  readonly username: string;
  readonly password: string;
}

/** What the engine has told of a pull so far. */
export interface EngineProgress {
  readonly doneBytes: number;
  readonly totalBytes: number;
  /** False while there are layers whose size is not known yet: more is to come than `totalBytes`. */
  readonly totalIsFinal: boolean;
}

export interface StorePullOptions {
  readonly auth?: RegistryAuth | undefined;
  readonly onProgress: (progress: EngineProgress) => void;
  /** Gives up with `image-pull-stalled` when nothing moves for so long; there is no limit in total. */
  readonly inactivityMs: number;
  readonly signal: AbortSignal;
}

/** Which layers that belong to no image may go. */
export interface LeftoverChoice {
  /** Those that were there before this instant, of the host's clock ... */
  readonly sinceMs: number;
  /** ... and were pulled from one of these, as `registry/repository`. */
  readonly repositories: ReadonlySet<string>;
}

/** What layers that belong to no image come to. */
export interface LeftoverSum {
  readonly layers: number;
  readonly sizeBytes: number;
}

export interface ImageStore {
  /** The local image, or undefined when it has to be pulled. */
  image(reference: string, signal: AbortSignal): Promise<FoundImage | undefined>;
  list(signal: AbortSignal): Promise<StoredImage[]>;
  /** Ids of the images that containers are made of: of all containers, in any state, whoever made them. */
  inUse(signal: AbortSignal): Promise<ReadonlySet<string>>;
  /**
   * Asks the registry, also when the image is here, and brings what is missing. Layers that are already on their way are
   * not fetched twice. Rejects with `image-not-found`, `image-auth-failed`, `image-rate-limited` (with
   * `details.retryAfterMs` where the registry said it), `image-digest-mismatch`, `image-incompatible`, `disk-low`,
   * `image-pull-stalled`, and `image-pull-failed` for everything else that went wrong between engine and registry.
   */
  pull(reference: string, options: StorePullOptions): Promise<void>;
  /** Takes a name away, and the image with its last name; `in-use` when a container needs it. What is gone is removed. */
  remove(nameOrId: string, signal: AbortSignal): Promise<"removed" | "in-use">;
  /**
   * Removes layers that belong to no image, as a pull leaves them behind when the engine dies in the middle of it; with
   * `dryRun` it only counts them. None where the engine's files cannot be seen.
   */
  clearLeftovers(choice: LeftoverChoice & { readonly dryRun: boolean }, signal: AbortSignal): Promise<LeftoverSum>;
}
