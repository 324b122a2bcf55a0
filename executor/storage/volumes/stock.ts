/**
 * What all verbs on volumes share: the folder, the records in memory, one lock for each volume, and how a record changes.
 */
import { mkdir, realpath } from "node:fs/promises";

import { createKeyedLock } from "../../../common/keyed-lock.ts";
import { AppError, toAppError } from "../../../protocol/errors.ts";
import type { VolumeId } from "../../../protocol/volume.ts";
import { type MountDeps, type Mounting, unmountVolume } from "./mounting.ts";
import { bookedFor } from "./order.ts";
import { type VolumePaths, type VolumeRecord, writeRecord } from "./record.ts";
import { recoverVolumes, removeFolder } from "./recovery.ts";
import { Shelf } from "./shelf.ts";

export interface VolumesOptions {
  /** The folder of all volumes. */
  readonly root: string;
  /** This executor's public key. */
  readonly host: string;
  readonly defaultBytes: number;
  /** What all volumes may take together; the whole disk when left out. */
  readonly poolBytes?: number | undefined;
  /** Stays free on the disk. */
  readonly reserveBytes: number;
  /** How long writing may be held up for a snapshot. */
  readonly freezeMs: number;
  /** Whether what is removed is overwritten first. */
  readonly overwrite: boolean;
}

/** After a failure or an abort, putting things back has this long. */
const PUT_BACK_MS = 60_000;

export class Stock {
  readonly options: VolumesOptions;
  readonly deps: MountDeps;
  readonly shelf: Shelf;
  readonly #lock = createKeyedLock();

  private constructor(options: VolumesOptions, deps: MountDeps, shelf: Shelf) {
    this.options = options;
    this.deps = deps;
    this.shelf = shelf;
  }

  static async take(options: VolumesOptions, given: MountDeps, signal: AbortSignal): Promise<Stock> {
    await mkdir(options.root, { recursive: true, mode: 0o700 });
    // The kernel names the files behind loop devices by their real paths.
    const root = await realpath(options.root);
    const deps = { ...given, log: given.log.child({ part: "volumes" }) };
    const found = await recoverVolumes(root, deps, signal);
    for (const { volumeId, problem } of found) {
      if (problem !== undefined) deps.log.error("a volume cannot be used", { volumeId, problem });
    }
    return new Stock({ ...options, root }, deps, await Shelf.of(root, found));
  }

  locked<T>(volumeId: VolumeId, work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    return this.#lock.run(volumeId, work, signal);
  }

  paths(volumeId: VolumeId): VolumePaths {
    return this.shelf.pathsOf(volumeId);
  }

  mounting(record: VolumeRecord): Mounting {
    return { record, paths: this.paths(record.volumeId) };
  }

  now(): string {
    return new Date(this.deps.clock.now()).toISOString();
  }

  async save(record: VolumeRecord): Promise<VolumeRecord> {
    await writeRecord(this.paths(record.volumeId).dir, record);
    this.shelf.put(record);
    return record;
  }

  /** A new volume: booked, its image made by `make`, and only then there. Nothing is left of one that fails. */
  async bear(
    record: VolumeRecord,
    make: (mounting: Mounting) => Promise<VolumeRecord>,
    signal: AbortSignal,
  ): Promise<VolumeRecord> {
    const { volumeId } = record;
    await this.#bookRoom(bookedFor(record));
    this.shelf.put(record);
    try {
      await this.save(record);
      return await this.save(await make(this.mounting(record)));
    } catch (error) {
      this.shelf.drop(volumeId);
      await this.#putBack("an unfinished volume could not be removed", async (within) => {
        const { root } = this.options;
        await unmountVolume(this.mounting({ ...record, encrypted: false }), this.deps, within);
        await removeFolder(root, this.paths(volumeId), this.deps, within);
      });
      signal.throwIfAborted();
      throw error;
    }
  }

  /** The record with a larger promise, if it is larger. Throws `host-full`. */
  async promise(record: VolumeRecord, sizeBytes: number): Promise<VolumeRecord> {
    if (sizeBytes <= record.sizeBytes) return record;
    const larger = { ...record, sizeBytes };
    await this.#bookRoom(bookedFor(larger) - bookedFor(record));
    return this.save(larger);
  }

  /** Unmounts a volume and takes it from its pod. Throws `volume-in-use`. */
  async release(record: VolumeRecord, signal: AbortSignal): Promise<void> {
    await unmountVolume(this.mounting(record), this.deps, signal);
    const { podId: _, ...free } = record;
    await this.save(free);
  }

  /** After something went wrong, which is what the caller is told; that this fails too is only logged. */
  async releaseAfterFailure(record: VolumeRecord): Promise<void> {
    await this.#putBack("a volume could not be put back", (within) => this.release(record, within));
  }

  async #putBack(failure: string, work: (within: AbortSignal) => Promise<void>): Promise<void> {
    try {
      await work(AbortSignal.timeout(PUT_BACK_MS));
    } catch (error) {
      this.deps.log.error(failure, { error: toAppError(error) });
    }
  }

  async #bookRoom(asked: number): Promise<void> {
    const { root, reserveBytes, poolBytes } = this.options;
    const free = (await this.deps.tools.freeBytes(root)) - reserveBytes;
    const inPool = poolBytes === undefined ? Infinity : poolBytes - this.shelf.bookedBytes();
    const left = Math.min(free, inPool);
    if (asked <= left) return;
    const message = `The volume needs ${asked} bytes, and ${Math.max(0, left)} are left for volumes.`;
    throw new AppError("host-full", { message, details: { resource: "diskBytes", asked, free: Math.max(0, left) } });
  }
}
