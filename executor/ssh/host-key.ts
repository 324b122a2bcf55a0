/**
 * A pod's SSH host key in the format that dropbear reads. Made here, so that no program runs and no image has a say;
 * renters pin its public line.
 *
 * The file holds two SSH strings, each with its length in four bytes before it: the algorithm, and seed and public key.
 */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";

import { AppError } from "../../protocol/errors.ts";

export interface SshHostKey {
  readonly dropbear: Buffer;
  /** As in known_hosts and authorized_keys: `ssh-ed25519 AAAA...`, no comment. */
  readonly publicLine: string;
  /** `SHA256:...`, as ssh-keygen -l prints it. */
  readonly fingerprint: string;
}

const ALGORITHM = "ssh-ed25519";
const SEED_BYTES = 32;
const HEADER = Buffer.concat([sshString(Buffer.from(ALGORITHM)), uint32(2 * SEED_BYTES)]);
/** What comes before the seed in an ed25519 key in PKCS #8. */
const PKCS8_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");

export function generateSshHostKey(): SshHostKey {
  return fromPrivateKey(generateKeyPairSync("ed25519").privateKey);
}

/** The key in a file of dropbear's. Throws `internal` when the bytes are not an ed25519 key that is right in itself. */
export function readSshHostKey(dropbear: Buffer): SshHostKey {
  if (dropbear.length === HEADER.length + 2 * SEED_BYTES && dropbear.subarray(0, HEADER.length).equals(HEADER)) {
    const seed = dropbear.subarray(HEADER.length, HEADER.length + SEED_BYTES);
    const key = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: "der", type: "pkcs8" });
    const hostKey = fromPrivateKey(key);
    if (hostKey.dropbear.equals(dropbear)) return hostKey;
  }
  throw new AppError("internal", { message: "The pod's SSH host key is damaged." });
}

function fromPrivateKey(privateKey: KeyObject): SshHostKey {
  const seed = privateKey.export({ format: "der", type: "pkcs8" }).subarray(PKCS8_PREFIX.length);
  const publicKey = createPublicKey(privateKey).export({ format: "der", type: "spki" }).subarray(-SEED_BYTES);
  const blob = Buffer.concat([sshString(Buffer.from(ALGORITHM)), sshString(publicKey)]);
  return {
    dropbear: Buffer.concat([HEADER, seed, publicKey]),
    publicLine: `${ALGORITHM} ${blob.toString("base64")}`,
    fingerprint: `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`,
  };
}

function sshString(bytes: Buffer): Buffer {
  return Buffer.concat([uint32(bytes.length), bytes]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
