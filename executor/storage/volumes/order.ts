/**
 * A volume as a pod or an operator asks for it, and the record that it begins with. Pure.
 */
import { AppError } from "../../../protocol/errors.ts";
import type { Hotkey } from "../../../protocol/ids.ts";
import { VOLUME_KEY_BYTES, type VolumeName } from "../../../protocol/volume.ts";
import { imageBytesFor } from "./geometry.ts";
import { volumeIdOf, type VolumeRecord } from "./record.ts";

export interface VolumeOrder {
  readonly owner: Hotkey;
  readonly name: VolumeName;
  /** The host's default when left out. */
  readonly sizeBytes?: number | undefined;
  /** Opened; it is used and not kept. */
  readonly key?: Uint8Array | undefined;
}

export interface Beginning {
  readonly defaultBytes: number;
  /** This executor's public key. */
  readonly host: string;
  readonly nowMs: number;
}

/** Throws `invalid-request` for a key that is too short or too long. */
export function newRecord(
  { owner, name, sizeBytes, key }: VolumeOrder,
  { defaultBytes, host, nowMs }: Beginning,
): VolumeRecord {
  const bytes = sizeBytes ?? defaultBytes;
  checkLength(key);
  return {
    version: 1,
    volumeId: volumeIdOf(owner, name),
    owner,
    name,
    host,
    sizeBytes: bytes,
    madeBytes: bytes,
    filledBytes: imageBytesFor(bytes, bytes),
    encrypted: key !== undefined,
    createdAt: new Date(nowMs).toISOString(),
  };
}

/** Throws `volume-key-missing`, and `volume-key-wrong` for a key to a volume that has none: who gives one counts on it. */
export function checkKey({ encrypted }: VolumeRecord, key: Uint8Array | undefined): void {
  if (encrypted && key === undefined) throw new AppError("volume-key-missing");
  if (!encrypted && key !== undefined) {
    throw new AppError("volume-key-wrong", { message: "This volume was made without encryption." });
  }
  checkLength(key);
}

/** What a volume takes of the disk; more than its file system fills while it grows. */
export function bookedFor({ sizeBytes, madeBytes, filledBytes }: VolumeRecord): number {
  return Math.max(filledBytes, imageBytesFor(sizeBytes, madeBytes));
}

function checkLength(key: Uint8Array | undefined): void {
  const { min, max } = VOLUME_KEY_BYTES;
  if (key === undefined || (key.length >= min && key.length <= max)) return;
  throw new AppError("invalid-request", { message: `The key of a volume has ${min} to ${max} bytes.` });
}
