/**
 * The host API's words about volumes: what is kept for owners on this host, its snapshots and its backups.
 */
import { z } from "zod";

import { Hotkey } from "../ids.ts";
import { route } from "../route.ts";
import { Nothing } from "../validator-api.ts";
import {
  BackupId,
  BackupProgress,
  BackupTarget,
  SnapshotId,
  SnapshotView,
  VOLUME_KEY_BYTES,
  VolumeBytes,
  VolumeId,
  VolumeName,
  VolumeView,
} from "../volume.ts";

export const VolumeList = z.strictObject({ volumes: z.array(VolumeView), bookedBytes: z.int() });
export type VolumeList = z.infer<typeof VolumeList>;

/** base64 of the secret: the socket is this host's own. */
const Key = z.base64().refine((text) => {
  const { length } = Buffer.from(text, "base64");
  return length >= VOLUME_KEY_BYTES.min && length <= VOLUME_KEY_BYTES.max;
}, `must be base64 of ${VOLUME_KEY_BYTES.min} to ${VOLUME_KEY_BYTES.max} bytes`);

const Named = { owner: Hotkey, name: VolumeName };

/** One line of a backup: how far it is, or at last its id. */
const BackupLine = z.strictObject({ progress: BackupProgress.optional(), backupId: BackupId.optional() });

/** One line of a restore: how far it is, or at last the volume. */
const RestoreLine = z.strictObject({ progress: BackupProgress.optional(), volume: VolumeView.optional() });

const common = { auth: "open", query: Nothing, status: 200 } as const;
const OfVolume = z.strictObject({ volumeId: VolumeId });

export const volumeRoutes = {
  listVolumes: route({
    ...common,
    method: "GET",
    path: "/volumes",
    summary: "All volumes, who has them, and what they take of the disk",
    answer: "json",
    params: Nothing,
    body: Nothing,
    response: VolumeList,
    errors: [],
  }),
  createVolume: route({
    ...common,
    method: "POST",
    path: "/volumes",
    summary: "Makes an empty volume for an owner",
    answer: "json",
    params: Nothing,
    body: z.strictObject({ ...Named, sizeBytes: VolumeBytes.optional(), key: Key.optional() }),
    response: VolumeView,
    errors: ["already-exists", "host-full", "encryption-unavailable", "command-failed"],
  }),
  growVolume: route({
    ...common,
    method: "PUT",
    path: "/volumes/{volumeId}/size",
    summary: "Makes a volume larger, while a pod works in it or not",
    answer: "json",
    params: OfVolume,
    body: z.strictObject({ sizeBytes: VolumeBytes }),
    response: VolumeView,
    errors: ["volume-not-found", "volume-damaged", "host-full", "command-failed"],
  }),
  removeVolume: route({
    ...common,
    method: "DELETE",
    path: "/volumes/{volumeId}",
    summary: "Removes a volume and its snapshots for ever",
    answer: "json",
    params: OfVolume,
    body: Nothing,
    response: z.strictObject({}),
    errors: ["volume-not-found", "volume-in-use", "command-failed"],
  }),
  listSnapshots: route({
    ...common,
    method: "GET",
    path: "/volumes/{volumeId}/snapshots",
    summary: "The snapshots of a volume, the oldest first",
    answer: "json",
    params: OfVolume,
    body: Nothing,
    response: z.strictObject({ snapshots: z.array(SnapshotView) }),
    errors: ["volume-not-found"],
  }),
  snapshotVolume: route({
    ...common,
    method: "POST",
    path: "/volumes/{volumeId}/snapshots",
    summary: "Keeps the volume as it is now; its pod's writing is held up meanwhile",
    answer: "json",
    params: OfVolume,
    body: Nothing,
    response: z.strictObject({ snapshotId: SnapshotId }),
    errors: ["volume-not-found", "volume-damaged", "host-full", "command-failed"],
  }),
  removeSnapshot: route({
    ...common,
    method: "DELETE",
    path: "/volumes/{volumeId}/snapshots/{snapshotId}",
    summary: "Removes a snapshot",
    answer: "json",
    params: z.strictObject({ volumeId: VolumeId, snapshotId: SnapshotId }),
    body: Nothing,
    response: z.strictObject({}),
    errors: ["volume-not-found"],
  }),
  backupVolume: route({
    ...common,
    method: "POST",
    path: "/volumes/{volumeId}/backups",
    summary: "Stores the volume as it is now in a repository elsewhere",
    answer: "ndjson",
    params: OfVolume,
    body: z.strictObject({ target: BackupTarget }),
    response: BackupLine,
    errors: ["volume-not-found", "volume-in-use", "volume-damaged", "host-full", "backup-failed", "command-failed"],
  }),
  restoreVolume: route({
    ...common,
    method: "POST",
    path: "/volumes/restores",
    summary: "Makes a volume of a backup; of the newest one of that owner and name when none is named",
    answer: "ndjson",
    params: Nothing,
    body: z.strictObject({ ...Named, target: BackupTarget, backupId: BackupId.optional() }),
    response: RestoreLine,
    errors: ["volume-not-empty", "volume-damaged", "host-full", "backup-failed", "command-failed"],
  }),
};
