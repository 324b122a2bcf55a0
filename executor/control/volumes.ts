/**
 * Volumes, for the host's operator.
 */
import type { Handlers } from "../../common/http-server.ts";
import { AppError } from "../../protocol/errors.ts";
import type { volumeRoutes } from "../../protocol/host-api/volumes.ts";
import type { BackupProgress, VolumeId, VolumeView } from "../../protocol/volume.ts";
import type { Backups } from "../storage/backup/backups.ts";
import type { VolumeCopies } from "../storage/volumes/copies.ts";
import type { Volumes } from "../storage/volumes/volumes.ts";
import type { HostOperator } from "./server.ts";

export interface VolumesControl {
  readonly volumes: Pick<Volumes, "list" | "bookedBytes" | "create" | "grow" | "remove"> & {
    readonly copies: Pick<VolumeCopies, "snapshot" | "snapshots" | "removeSnapshot">;
  };
  readonly backups: Pick<Backups, "backup" | "restore">;
}

export function volumeHandlers({ volumes, backups }: VolumesControl): Handlers<typeof volumeRoutes, HostOperator> {
  const { copies } = volumes;
  return {
    listVolumes: async () => ({ volumes: await volumes.list(), bookedBytes: volumes.bookedBytes() }),
    createVolume: async ({ body: { key, ...order }, signal }) => {
      const opened = key === undefined ? {} : { key: Buffer.from(key, "base64") };
      const { volumeId } = await volumes.create({ ...order, ...opened }, signal);
      return viewOf(volumes, volumeId);
    },
    growVolume: async ({ params: { volumeId }, body: { sizeBytes }, signal }) => {
      await volumes.grow(volumeId, sizeBytes, signal);
      return viewOf(volumes, volumeId);
    },
    removeVolume: async ({ params: { volumeId }, signal }) => {
      await volumes.remove(volumeId, signal);
      return {};
    },
    listSnapshots: async ({ params: { volumeId } }) => ({ snapshots: await copies.snapshots(volumeId) }),
    snapshotVolume: async ({ params: { volumeId }, signal }) => ({
      snapshotId: await copies.snapshot(volumeId, signal),
    }),
    removeSnapshot: async ({ params: { volumeId, snapshotId }, signal }) => {
      await copies.removeSnapshot(volumeId, snapshotId, signal);
      return {};
    },
    backupVolume: ({ params: { volumeId }, body: { target }, signal }) =>
      withProgress(async (onProgress) => {
        const backupId = await backups.backup(volumeId, { target, onProgress, signal });
        return { backupId };
      }),
    restoreVolume: ({ body: { target, backupId, ...order }, signal }) =>
      withProgress(async (onProgress) => {
        const { volumeId } = await backups.restore(order, backupId, { target, onProgress, signal });
        return { volume: await viewOf(volumes, volumeId) };
      }),
  };
}

async function viewOf(volumes: VolumesControl["volumes"], volumeId: VolumeId): Promise<VolumeView> {
  const view = (await volumes.list()).find((each) => each.volumeId === volumeId);
  if (view === undefined) throw new AppError("volume-not-found");
  return view;
}

/** Only the newest progress is told: who reads slowly misses some of it. At last the outcome. */
async function* withProgress<T extends object>(
  work: (onProgress: (progress: BackupProgress) => void) => Promise<T>,
): AsyncGenerator<{ progress: BackupProgress } | T> {
  let newest: BackupProgress | undefined;
  let told = Promise.withResolvers<void>();
  const done = work((progress) => {
    newest = progress;
    told.resolve();
  });
  const over = done.then(
    () => true,
    () => true,
  );
  while (!(await Promise.race([over, told.promise.then(() => false)]))) {
    told = Promise.withResolvers();
    if (newest !== undefined) yield { progress: newest };
  }
  yield await done;
}
