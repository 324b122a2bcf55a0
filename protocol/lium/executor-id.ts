/**
 * What Lium calls an executor: a host of ours, by a UUID and a port that follow from its id and so never change.
 * Lium keys rentals by `address:port` and history by the UUID; nobody dials that port.
 */
import { createHash } from "node:crypto";

import type { HostId } from "../ids.ts";

const FIRST_PORT = 1024;

export function executorIdOf(hostId: HostId): string {
  const bytes = digestOf(hostId).subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x40, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

export function executorPortOf(hostId: HostId): number {
  return FIRST_PORT + (digestOf(hostId).readUInt32BE(16) % (65_536 - FIRST_PORT));
}

function digestOf(hostId: HostId): Buffer {
  return createHash("sha256").update(`lium-executor/1\n${hostId}`).digest();
}
