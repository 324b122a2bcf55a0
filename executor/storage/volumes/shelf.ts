/**
 * What is known of every volume, in memory: filled from disk at the start, changed only after the disk was.
 */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";

import { AppError } from "../../../protocol/errors.ts";
import type { PodId } from "../../../protocol/ids.ts";
import type { VolumeId, VolumeView } from "../../../protocol/volume.ts";
import { imageBytesFor } from "./geometry.ts";
import { setAside } from "./mounting.ts";
import { bookedFor } from "./order.ts";
import { pathsOf, type VolumePaths, type VolumeRecord } from "./record.ts";
import type { Found } from "./recovery.ts";
import { listSnapshots } from "./snapshots.ts";

interface Entry {
  readonly record: VolumeRecord | undefined;
  readonly problem: string | undefined;
  /** Of snapshots; of everything where there is no record. */
  readonly otherBytes: number;
}

const BLOCK = 512;

export class Shelf {
  readonly #root: string;
  readonly #entries = new Map<VolumeId, Entry>();

  private constructor(root: string) {
    this.#root = root;
  }

  static async of(root: string, found: readonly Found[]): Promise<Shelf> {
    const shelf = new Shelf(root);
    for (const { volumeId, record, problem } of found) {
      shelf.#entries.set(volumeId, { record, problem, otherBytes: 0 });
      await shelf.weigh(volumeId);
    }
    return shelf;
  }

  pathsOf(volumeId: VolumeId): VolumePaths {
    return pathsOf(this.#root, volumeId);
  }

  has(volumeId: VolumeId): boolean {
    return this.#entries.has(volumeId);
  }

  /** Undefined for a volume that is there and whose record cannot be read. Throws `volume-not-found`. */
  recordOf(volumeId: VolumeId): VolumeRecord | undefined {
    const entry = this.#entries.get(volumeId);
    if (entry === undefined) throw new AppError("volume-not-found");
    return entry.record;
  }

  /** Throws `volume-not-found` and `volume-damaged`. */
  usable(volumeId: VolumeId): VolumeRecord {
    const record = this.recordOf(volumeId);
    const problem = this.#entries.get(volumeId)?.problem;
    if (record !== undefined && problem === undefined) return record;
    throw new AppError("volume-damaged", { message: `The volume cannot be used: ${problem}.`, details: { volumeId } });
  }

  put(record: VolumeRecord): void {
    const otherBytes = this.#entries.get(record.volumeId)?.otherBytes ?? 0;
    this.#entries.set(record.volumeId, { record, problem: undefined, otherBytes });
  }

  drop(volumeId: VolumeId): void {
    this.#entries.delete(volumeId);
  }

  records(): VolumeRecord[] {
    return [...this.#entries.values()].flatMap(({ record }) => record ?? []);
  }

  attachedTo(podId: PodId): VolumeRecord[] {
    return this.records().filter((record) => record.podId === podId);
  }

  bookedBytes(): number {
    const booked = [...this.#entries.values()].map(
      ({ record, otherBytes }) => otherBytes + (record === undefined ? 0 : bookedFor(record)),
    );
    return booked.reduce((sum, bytes) => sum + bytes, 0);
  }

  /** What a volume would take on top of what it has, to be of that size. */
  bytesNeeded(volumeId: VolumeId, sizeBytes: number): number {
    const record = this.#entries.get(volumeId)?.record;
    if (record === undefined) return imageBytesFor(sizeBytes, sizeBytes);
    return Math.max(0, imageBytesFor(sizeBytes, record.madeBytes) - bookedFor(record));
  }

  /** Looks again at what its snapshots take. */
  async weigh(volumeId: VolumeId): Promise<void> {
    const entry = this.#entries.get(volumeId);
    if (entry === undefined) return;
    const paths = this.pathsOf(volumeId);
    const snapshots = await listSnapshots(paths);
    const image = entry.record === undefined ? await bytesIn(paths.dir) : 0;
    const otherBytes = snapshots.reduce((sum, { diskBytes }) => sum + diskBytes, image);
    this.#entries.set(volumeId, { ...entry, otherBytes });
  }

  views(): Promise<VolumeView[]> {
    return Promise.all([...this.#entries].map(([volumeId, entry]) => this.#view(volumeId, entry)));
  }

  async #view(volumeId: VolumeId, { record, problem, otherBytes }: Entry): Promise<VolumeView> {
    const paths = this.pathsOf(volumeId);
    const [snapshots, aside] = await Promise.all([listSnapshots(paths), setAside(paths)]);
    const { owner, name, createdAt, podId } = record ?? {};
    return {
      volumeId,
      ...(owner === undefined ? {} : { owner }),
      ...(name === undefined ? {} : { name }),
      ...(createdAt === undefined ? {} : { createdAt }),
      ...(podId === undefined ? {} : { podId }),
      sizeBytes: record?.sizeBytes ?? 0,
      bookedBytes: otherBytes + (record === undefined ? 0 : bookedFor(record)),
      growing: record !== undefined && record.filledBytes < bookedFor(record),
      encrypted: record?.encrypted ?? false,
      snapshots: snapshots.length,
      setAside: aside,
      ...(problem === undefined ? {} : { problem }),
    };
  }
}

/** Of the files right in a folder. */
async function bytesIn(dir: string): Promise<number> {
  const files = (await readdir(dir, { withFileTypes: true })).filter((entry) => entry.isFile());
  const sizes = await Promise.all(files.map(async ({ name }) => (await stat(join(dir, name))).blocks * BLOCK));
  return sizes.reduce((sum, bytes) => sum + bytes, 0);
}
