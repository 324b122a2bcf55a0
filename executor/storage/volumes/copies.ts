/**
 * Copies of volumes: snapshots that stay beside them, images for the time of a backup, and volumes that come back from one.
 */
import { rm, stat } from "node:fs/promises";

import { AppError } from "../../../protocol/errors.ts";
import type { SnapshotId, SnapshotView, VolumeId } from "../../../protocol/volume.ts";
import { nameImage } from "./making.ts";
import type { Mounting } from "./mounting.ts";
import { newRecord, type VolumeOrder } from "./order.ts";
import { volumeIdOf, type VolumeRecord } from "./record.ts";
import { removeFolder } from "./recovery.ts";
import { backupPath, listSnapshots, snapshotIdAt, snapshotPath, takeSnapshot } from "./snapshots.ts";
import type { Stock } from "./stock.ts";

/** What a backup must know of the volume that it is made of. */
export interface ImageFacts extends Pick<VolumeRecord, "sizeBytes" | "madeBytes" | "filledBytes" | "encrypted"> {
  /** How long the image is; more than its file system fills while the volume grows. */
  readonly imageBytes: number;
}

export interface RestoredContent {
  readonly facts: ImageFacts;
  /** Writes the image into a file of `imageBytes` zeros. */
  readonly fill: (file: string) => Promise<void>;
}

export class VolumeCopies {
  readonly #stock: Stock;
  readonly #backedUp = new Set<VolumeId>();

  constructor(stock: Stock) {
    this.#stock = stock;
  }

  /** The volume as it is now. Throws `host-full`, and `deadline-exceeded` when its pod would be held up for too long. */
  snapshot(volumeId: VolumeId, signal: AbortSignal): Promise<SnapshotId> {
    const { shelf, options, deps } = this.#stock;
    const work = async (): Promise<SnapshotId> => {
      const mounting = this.#stock.mounting(shelf.usable(volumeId));
      const snapshotId = snapshotIdAt(deps.clock.now());
      await takeSnapshot(mounting, snapshotPath(mounting.paths, snapshotId), { ...options, ...deps }, signal);
      await shelf.weigh(volumeId);
      return snapshotId;
    };
    return this.#stock.locked(volumeId, work, signal);
  }

  /** The oldest first. */
  async snapshots(volumeId: VolumeId): Promise<SnapshotView[]> {
    this.#stock.shelf.recordOf(volumeId);
    return listSnapshots(this.#stock.paths(volumeId));
  }

  removeSnapshot(volumeId: VolumeId, snapshotId: SnapshotId, signal: AbortSignal): Promise<void> {
    const { shelf } = this.#stock;
    const work = async (): Promise<void> => {
      shelf.recordOf(volumeId);
      await rm(snapshotPath(this.#stock.paths(volumeId), snapshotId), { force: true });
      await shelf.weigh(volumeId);
    };
    return this.#stock.locked(volumeId, work, signal);
  }

  /** Works on an image of the volume as it is now, which is gone afterwards. Throws what `snapshot` throws. */
  async withImage<T>(
    volumeId: VolumeId,
    work: (image: string, facts: ImageFacts) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const { shelf, options, deps } = this.#stock;
    this.throwIfBackedUp(volumeId);
    this.#backedUp.add(volumeId);
    const image = backupPath(this.#stock.paths(volumeId));
    const take = async (): Promise<ImageFacts> => {
      const record = shelf.usable(volumeId);
      await takeSnapshot(this.#stock.mounting(record), image, { ...options, ...deps }, signal);
      return { ...record, imageBytes: (await stat(image)).size };
    };
    try {
      return await work(image, await this.#stock.locked(volumeId, take, signal));
    } finally {
      this.#backedUp.delete(volumeId);
      await rm(this.#stock.paths(volumeId).backup, { recursive: true, force: true });
    }
  }

  throwIfBackedUp(volumeId: VolumeId): void {
    if (!this.#backedUp.has(volumeId)) return;
    throw new AppError("volume-in-use", { message: "The volume is being backed up.", details: { volumeId } });
  }

  /**
   * Makes a volume of an image. A volume of that name that no pod ever had is replaced; any other is left alone:
   * `volume-not-empty`. Throws `volume-damaged` for an image that is no sound file system, and `host-full`.
   */
  restore(
    order: Pick<VolumeOrder, "owner" | "name">,
    content: RestoredContent,
    signal: AbortSignal,
  ): Promise<VolumeRecord> {
    const volumeId = volumeIdOf(order.owner, order.name);
    return this.#stock.locked(volumeId, () => this.#restore(order, content, signal), signal);
  }

  async #restore(
    order: Pick<VolumeOrder, "owner" | "name">,
    { facts: { imageBytes, ...facts }, fill }: RestoredContent,
    signal: AbortSignal,
  ): Promise<VolumeRecord> {
    const { shelf, options, deps } = this.#stock;
    const { volumeId, ...fresh } = newRecord(order, { ...options, nowMs: deps.clock.now() });
    const paths = this.#stock.paths(volumeId);
    if (shelf.has(volumeId)) {
      if (shelf.usable(volumeId).usedSince !== undefined) throw new AppError("volume-not-empty");
      await removeFolder(options.root, paths, deps, signal);
      shelf.drop(volumeId);
    }
    const make = async (mounting: Mounting): Promise<VolumeRecord> => {
      await rm(paths.draft, { force: true });
      await deps.tools.reserve(paths.draft, imageBytes, signal);
      await fill(paths.draft);
      await deps.tools.check(paths.draft, signal);
      await nameImage(mounting);
      return { ...mounting.record, usedSince: this.#stock.now() };
    };
    return this.#stock.bear({ ...fresh, volumeId, ...facts }, make, signal);
  }
}
