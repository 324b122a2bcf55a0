/**
 * The port to what a Linux host does with images, loop devices and mounts. Each verb is one step that may be repeated; what a
 * crash leaves between two of them is put right by the next attach or the next start.
 */
import type { Mount } from "../mounts.ts";

export interface FormatOptions {
  readonly bytes: number;
  readonly mkfs: readonly string[];
}

export interface VolumeTools {
  /**
   * Makes an ext4 of so many bytes in a file that holds nothing. Throws `volume-not-empty` for a file in which a single block
   * was ever written. The file is made when it is not there.
   */
  format(file: string, options: FormatOptions, signal: AbortSignal): Promise<void>;
  /** Sets so many bytes of the disk aside for the file; it never becomes shorter. Throws `host-full`. */
  reserve(file: string, bytes: number, signal: AbortSignal): Promise<void>;
  /** Repairs what a crash left and can be repaired without a decision. Throws `volume-damaged`. */
  check(file: string, signal: AbortSignal): Promise<void>;
  mountAt(path: string): Promise<Mount | undefined>;
  /** The loop device over a file, as a path and as `major:minor`. */
  loopOf(file: string): Promise<{ readonly path: string; readonly device: string } | undefined>;
  /** `source`: an image, or the loop device over it. */
  mount(source: string, path: string, signal: AbortSignal): Promise<void>;
  /** Throws `volume-in-use` when somebody works in it. */
  unmount(path: string, signal: AbortSignal): Promise<void>;
  /** Lets an ext4 that is mounted from a loop device fill its image, which has grown. */
  fillMounted(loop: string, signal: AbortSignal): Promise<void>;
  /** The same for one that is mounted nowhere; one that a crash interrupted is taken back first. */
  fillImage(file: string, signal: AbortSignal): Promise<void>;
  /** So that nobody, not even root, writes into an empty mountpoint; where the file system knows no such flag, nothing. */
  setImmutable(path: string, immutable: boolean, signal: AbortSignal): Promise<void>;
  /** A copy without holes being filled; shares blocks with the original where the file system can. */
  copy(from: string, to: string, signal: AbortSignal): Promise<void>;
  /** The same while nothing is written to what is mounted at `mountpoint`, for so long at most; then `deadline-exceeded`. */
  copyFrozen(mountpoint: string, files: CopyFrozen, signal: AbortSignal): Promise<void>;
  /** Lets writing go on, if it was held up. */
  thaw(mountpoint: string, signal: AbortSignal): Promise<void>;
  /** Overwrites a file with zeros, where it lies. */
  overwrite(file: string, signal: AbortSignal): Promise<void>;
  /** What may still be written to the file system of this folder. */
  freeBytes(dir: string): Promise<number>;
  /** What is stored in an ext4; `mountpoint`: where it is mounted, if it is. */
  usedBytes(file: string, mountpoint: string | undefined, signal: AbortSignal): Promise<number>;
}

export interface CopyFrozen {
  readonly from: string;
  readonly to: string;
  readonly freezeMs: number;
}
