/**
 * The bytes of SubtensorModule.serve_axon, written by hand. A node's metadata says how a call is encoded, and a node may
 * lie; our hotkey signs what is written here or nothing.
 */
import { isIPv6 } from "node:net";

import { AppError } from "../../protocol/errors.ts";
import type { Axon } from "./chain.ts";
import { addressNumber } from "./ip-number.ts";

/** Which SDK we speak like, 9.9.0. */
export const AXON_VERSION = 9_009_000;
export const AXON_PROTOCOL = 4;

const PALLET = 7;
const CALL = 4;
const BYTES = 2 + 2 + 4 + 16 + 2 + 1 + 1 + 2;

export interface ServeAxonArguments {
  readonly netuid: number;
  readonly version: number;
  readonly ip: bigint;
  readonly port: number;
  readonly ipType: 4 | 6;
  readonly protocol: number;
}

/** Throws `invalid-request` for an address that the chain would refuse. */
export function serveAxonArguments(netuid: number, { ip: text, port }: Axon): ServeAxonArguments {
  const ip = addressNumber(text);
  const isLocal = ip === 0n || ip === 1n || text.startsWith("127.");
  if (ip === undefined || isLocal || port < 1 || port > 65_535) {
    throw new AppError("invalid-request", { message: `${text} port ${port} cannot be announced to validators.` });
  }
  return { netuid, version: AXON_VERSION, ip, port, ipType: isIPv6(text) ? 6 : 4, protocol: AXON_PROTOCOL };
}

/** Numbers are little-endian; both placeholders are zero. */
export function encodeServeAxon({ netuid, version, ip, port, ipType, protocol }: ServeAxonArguments): Buffer {
  const call = Buffer.alloc(BYTES);
  call.writeUInt8(PALLET, 0);
  call.writeUInt8(CALL, 1);
  call.writeUInt16LE(netuid, 2);
  call.writeUInt32LE(version, 4);
  call.writeBigUInt64LE(BigInt.asUintN(64, ip), 8);
  call.writeBigUInt64LE(ip >> 64n, 16);
  call.writeUInt16LE(port, 24);
  call.writeUInt8(ipType, 26);
  call.writeUInt8(protocol, 27);
  return call;
}
