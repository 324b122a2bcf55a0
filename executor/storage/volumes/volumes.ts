/**
 * The volumes of this host: each a file with an ext4 in a folder of its own, attached to one pod at a time.
 *
 * The record on disk says what should be; every verb brings the rest there from wherever a crash left it, so repeating one is
 * harmless. Data is never formatted, never mounted twice, and never shown in clear without its key.
 */
import { AppError } from "../../../protocol/errors.ts";
import type { Hotkey, PodId } from "../../../protocol/ids.ts";
import type { VolumeId, VolumeName, VolumeView } from "../../../protocol/volume.ts";
import { VolumeCopies } from "./copies.ts";
import { fillPromise, makeImage } from "./making.ts";
import { type MountDeps, mountVolume, unmountVolume } from "./mounting.ts";
import { checkKey, newRecord, type VolumeOrder } from "./order.ts";
import { volumeIdOf, type VolumePaths, type VolumeRecord } from "./record.ts";
import { removeFolder } from "./recovery.ts";
import { listSnapshots, snapshotPath } from "./snapshots.ts";
import { Stock, type VolumesOptions } from "./stock.ts";

export class Volumes {
  /** Snapshots, and what backups are made of and restored to. */
  readonly copies: VolumeCopies;
  readonly #stock: Stock;

  private constructor(stock: Stock) {
    this.#stock = stock;
    this.copies = new VolumeCopies(stock);
  }

  /** Takes stock of what is on disk. Rejects only when the folder itself cannot be used. */
  static async open(options: VolumesOptions, deps: MountDeps, signal: AbortSignal): Promise<Volumes> {
    return new Volumes(await Stock.take(options, deps, signal));
  }

  /** What volumes and snapshots take of the host's disk, promises included. */
  bookedBytes(): number {
    return this.#stock.shelf.bookedBytes();
  }

  /** What a pod's volume would take on top: nothing, when it is there and large enough. */
  bytesNeeded({ owner, name, sizeBytes }: Omit<VolumeOrder, "key">): number {
    const { shelf, options } = this.#stock;
    const volumeId = volumeIdOf(owner, name);
    if (sizeBytes === undefined && shelf.has(volumeId)) return 0;
    return shelf.bytesNeeded(volumeId, sizeBytes ?? options.defaultBytes);
  }

  /** The folder that a pod gets; it is there only while the volume is mounted. */
  hostPathOf(owner: Hotkey, name: VolumeName): string {
    return this.#stock.paths(volumeIdOf(owner, name)).data;
  }

  list(): Promise<VolumeView[]> {
    return this.#stock.shelf.views();
  }

  /** Throws `already-exists`, `host-full`, and `encryption-unavailable`. */
  create(order: VolumeOrder, signal: AbortSignal): Promise<VolumeRecord> {
    const volumeId = volumeIdOf(order.owner, order.name);
    const work = async (): Promise<VolumeRecord> => {
      if (!this.#stock.shelf.has(volumeId)) return this.#make(order, signal);
      throw new AppError("already-exists", { message: "The owner has a volume of that name." });
    };
    return this.#stock.locked(volumeId, work, signal);
  }

  /**
   * Mounts a pod's volume, made now if there is none, and gives the folder for the pod. A larger size than it has makes it
   * grow. Throws `volume-in-use` while another pod has it, `volume-key-missing`, `volume-key-wrong`, `volume-damaged`,
   * `host-full`.
   */
  attach(order: VolumeOrder & { readonly podId: PodId }, signal: AbortSignal): Promise<string> {
    const volumeId = volumeIdOf(order.owner, order.name);
    return this.#stock.locked(volumeId, () => this.#attach(volumeId, order, signal), signal);
  }

  /** Lets go of what a pod has attached. To be called when nothing of the pod runs. Throws `volume-in-use`. */
  async detach(podId: PodId, signal: AbortSignal): Promise<void> {
    const { shelf } = this.#stock;
    const detachOne = async (volumeId: VolumeId): Promise<void> => {
      const record = shelf.recordOf(volumeId);
      if (record?.podId === podId) await this.#stock.release(record, signal);
    };
    for (const { volumeId } of shelf.attachedTo(podId)) {
      await this.#stock.locked(volumeId, () => detachOne(volumeId), signal);
    }
  }

  /** The pods that have a volume attached. */
  holders(): PodId[] {
    return this.#stock.shelf.records().flatMap(({ podId }) => podId ?? []);
  }

  /** Larger only. While a pod has it, some hosts let it grow only when it is attached the next time. Throws `host-full`. */
  grow(volumeId: VolumeId, sizeBytes: number, signal: AbortSignal): Promise<VolumeRecord> {
    const { shelf, deps } = this.#stock;
    const work = async (): Promise<VolumeRecord> => {
      const found = shelf.usable(volumeId);
      if (sizeBytes < found.sizeBytes) {
        throw new AppError("invalid-request", { message: `A volume never shrinks: it has ${found.sizeBytes} bytes.` });
      }
      const record = await this.#stock.promise(found, sizeBytes);
      return this.#stock.save(await fillPromise(this.#stock.mounting(record), deps, signal));
    };
    return this.#stock.locked(volumeId, work, signal);
  }

  /** For ever, its snapshots too. Throws `volume-in-use` while it is attached or backed up. */
  remove(volumeId: VolumeId, signal: AbortSignal): Promise<void> {
    const { shelf, deps, options } = this.#stock;
    const paths = this.#stock.paths(volumeId);
    const work = async (): Promise<void> => {
      const record = shelf.recordOf(volumeId);
      if (record?.podId !== undefined) throw inUse(record.podId);
      this.copies.throwIfBackedUp(volumeId);
      if (record !== undefined) await unmountVolume({ record, paths }, deps, signal);
      if (options.overwrite) await this.#overwrite(paths, signal);
      await removeFolder(options.root, paths, deps, signal);
      shelf.drop(volumeId);
    };
    return this.#stock.locked(volumeId, work, signal);
  }

  async #attach(
    volumeId: VolumeId,
    order: VolumeOrder & { readonly podId: PodId },
    signal: AbortSignal,
  ): Promise<string> {
    const { shelf, deps } = this.#stock;
    const { podId, sizeBytes, key } = order;
    const paths = this.#stock.paths(volumeId);
    const found = shelf.has(volumeId) ? shelf.usable(volumeId) : await this.#make(order, signal);
    if (found.podId !== undefined && found.podId !== podId) throw inUse(found.podId);
    checkKey(found, key);
    // What was left mounted, and maybe open, before is not this pod's.
    if (found.podId === undefined) await unmountVolume({ record: found, paths }, deps, signal);
    const asked = await this.#stock.promise(found, sizeBytes ?? 0);
    const record = await this.#stock.save({ ...asked, podId, usedSince: asked.usedSince ?? this.#stock.now() });
    try {
      const filled = await fillPromise({ record, paths }, deps, signal);
      if (filled !== record) await this.#stock.save(filled);
      await mountVolume({ record, paths }, deps, signal);
      if (key !== undefined) await deps.cipher.unlock(paths.data, key, signal);
    } catch (error) {
      if (found.podId === undefined) await this.#stock.releaseAfterFailure(shelf.usable(volumeId));
      throw error;
    }
    return paths.data;
  }

  #make(order: VolumeOrder, signal: AbortSignal): Promise<VolumeRecord> {
    const { deps, options } = this.#stock;
    const record = newRecord(order, { ...options, nowMs: deps.clock.now() });
    const make = async (): Promise<VolumeRecord> => {
      await makeImage(this.#stock.mounting(record), { ...deps, key: order.key }, signal);
      return record;
    };
    return this.#stock.bear(record, make, signal);
  }

  async #overwrite(paths: VolumePaths, signal: AbortSignal): Promise<void> {
    const { tools } = this.#stock.deps;
    const snapshots = await listSnapshots(paths);
    for (const { snapshotId } of snapshots) await tools.overwrite(snapshotPath(paths, snapshotId), signal);
    await tools.overwrite(paths.image, signal);
  }
}

function inUse(podId: PodId): AppError {
  return new AppError("volume-in-use", { message: `The volume is attached to pod ${podId}.`, details: { podId } });
}
