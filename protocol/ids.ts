/**
 * The names of things, as branded strings. Only these schemas make one, so a value of type PodId was once checked.
 */
import { z } from "zod";

/** A pod, as UUID version 7: ids sort by the time of their making. */
export const PodId = z.uuidv7().brand<"PodId">();
export type PodId = z.infer<typeof PodId>;

/** A GPU host: `host-` and the first 16 hex digits of the SHA-256 of its executor's ed25519 public key. */
export const HostId = z
  .string()
  .regex(/^host-[0-9a-f]{16}$/)
  .brand<"HostId">();
export type HostId = z.infer<typeof HostId>;

/** A GPU by its vendor's UUID; never an index, which changes with a reboot. */
export const GpuUuid = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9:._-]{2,79}$/)
  .brand<"GpuUuid">();
export type GpuUuid = z.infer<typeof GpuUuid>;

/** An ss58 address of format 42. The shape only: the checksum is checked where keys are decoded. */
export const Hotkey = z
  .string()
  .regex(/^5[1-9A-HJ-NP-Za-km-z]{46,47}$/)
  .brand<"Hotkey">();
export type Hotkey = z.infer<typeof Hotkey>;

/** An instant as ISO 8601 in UTC, milliseconds included. */
export const Instant = z.iso.datetime({ precision: 3 });
