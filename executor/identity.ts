/**
 * The keys of this host, made once and kept in the state folder: an ed25519 key that says who the host is, and an x25519
 * key that renters seal secrets to. Neither ever leaves the host.
 */
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { writeFileAtomic } from "../common/atomic-file.ts";
import { type Ed25519Key, generateEd25519, importEd25519 } from "../common/ed25519.ts";
import { generateSealingKey, sealingKeyFromSecret, type SealingKeyPair } from "../common/sealed-box.ts";
import { AppError } from "../protocol/errors.ts";

export interface HostKeys {
  readonly identity: Ed25519Key;
  readonly sealing: SealingKeyPair;
}

/** Throws `config-invalid` when a key file is there and cannot be read: a new key would be another host. */
export async function loadHostKeys(stateDir: string): Promise<HostKeys> {
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const identity = await loadOrMake(join(stateDir, "identity.pem"), importEd25519, () => {
    const key = generateEd25519();
    return { value: key, text: key.exportPem() };
  });
  const sealing = await loadOrMake(
    join(stateDir, "sealing.key"),
    (text) => sealingKeyFromSecret(Buffer.from(text.trim(), "base64")),
    () => {
      const key = generateSealingKey();
      return { value: key, text: `${Buffer.from(key.secretKey).toString("base64")}\n` };
    },
  );
  return { identity, sealing };
}

async function loadOrMake<T>(
  path: string,
  load: (text: string) => T,
  make: () => { value: T; text: string },
): Promise<T> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined) {
    const made = make();
    await writeFileAtomic(path, made.text, 0o600);
    return made.value;
  }
  try {
    return load(text);
  } catch (cause) {
    throw new AppError("config-invalid", { message: `${path} is damaged; restore it from a backup.`, cause });
  }
}
