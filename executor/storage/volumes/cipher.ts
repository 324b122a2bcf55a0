/**
 * Encryption of a volume's data folder by the kernel (fscrypt, policy version 2), through Debian's `fscrypt`. The key reaches
 * the program by its standard input and the kernel's keyring of the one file system; unmounting forgets it.
 * Without the key the kernel shows scrambled names and refuses every new file: nothing can be stored in clear by mistake.
 */
import { writeFile } from "node:fs/promises";

import { exec, type ExecResult } from "../../../common/exec.ts";
import { AppError } from "../../../protocol/errors.ts";

export interface VolumeCipher {
  /** Makes an empty folder of what is mounted one that only the key opens, and leaves it open. */
  encrypt(place: CipherPlace, key: Uint8Array, signal: AbortSignal): Promise<void>;
  /** Repeating it is harmless. Throws `volume-key-wrong`. */
  unlock(folder: string, key: Uint8Array, signal: AbortSignal): Promise<void>;
  /** Throws `volume-in-use` while files in it are open. */
  lock(folder: string, signal: AbortSignal): Promise<void>;
}

export interface CipherPlace {
  readonly mountpoint: string;
  readonly folder: string;
}

const TOOL_MS = 30_000;
const CONFIG = "/etc/fscrypt.conf";
/** Only where there is none. The cost is of Argon2id, which stands between a stolen disk and a weak secret. */
const DEFAULT_CONFIG = {
  source: "custom_passphrase",
  hash_costs: { time: "2", memory: "131072", parallelism: "1" },
  options: { padding: "32", contents: "AES_256_XTS", filenames: "AES_256_CTS", policy_version: "2" },
  use_fs_keyring_for_v1_policies: false,
  allow_cross_user_metadata: false,
};

export function fscryptCipher(): VolumeCipher {
  return { encrypt, unlock, lock };
}

async function encrypt({ mountpoint, folder }: CipherPlace, key: Uint8Array, signal: AbortSignal): Promise<void> {
  await writeFile(CONFIG, `${JSON.stringify(DEFAULT_CONFIG, null, 2)}\n`, { flag: "wx", mode: 0o644 }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    },
  );
  await fscrypt(["setup", "--quiet", mountpoint], signal);
  const args = ["encrypt", folder, "--quiet", "--source=custom_passphrase", "--name=volume", "--no-recovery"];
  await fscrypt(args, signal, key);
  const status = await fscrypt(["status", folder], signal);
  if (/policy_version:2\b/.test(status.stdout)) return;
  throw new AppError("encryption-unavailable", { message: `${CONFIG} asks for a policy_version other than 2.` });
}

async function unlock(folder: string, key: Uint8Array, signal: AbortSignal): Promise<void> {
  if (await isUnlocked(folder, signal)) return;
  try {
    await fscrypt(["unlock", folder, "--quiet"], signal, key);
  } catch (cause) {
    if (said(cause).includes("incorrect key provided")) throw new AppError("volume-key-wrong", { cause });
    throw cause;
  }
  if (!(await isUnlocked(folder, signal))) throw new AppError("volume-damaged", { message: "The key opens nothing." });
}

async function lock(folder: string, signal: AbortSignal): Promise<void> {
  try {
    await fscrypt(["lock", folder, "--quiet"], signal);
  } catch (cause) {
    const text = said(cause);
    if (/already locked|is locked/.test(text)) return;
    if (!text.includes("incompletely locked")) throw cause;
    throw new AppError("volume-in-use", { message: "Files of the encrypted volume are still open.", cause });
  }
}

async function isUnlocked(folder: string, signal: AbortSignal): Promise<boolean> {
  const { stdout } = await fscrypt(["status", folder], signal);
  return /^Unlocked: Yes$/m.test(stdout);
}

/** Standard input is a pipe to nobody else, so the secret is in no argument, no file and no environment. */
async function fscrypt(args: readonly string[], signal: AbortSignal, key?: Uint8Array): Promise<ExecResult> {
  const input = key === undefined ? {} : { input: `${Buffer.from(key).toString("base64")}\n` };
  try {
    return await exec("fscrypt", args, { signal, timeoutMs: TOOL_MS, ...input });
  } catch (cause) {
    const missing = /not supported|not enabled|kernel/.test(said(cause)) || exitCodeOf(cause) === undefined;
    if (!missing || signal.aborted || !(cause instanceof AppError) || cause.code !== "command-failed") throw cause;
    throw new AppError("encryption-unavailable", { message: "fscrypt cannot work on this host.", cause });
  }
}

function said(error: unknown): string {
  const stderr = error instanceof AppError ? error.details["stderr"] : undefined;
  return typeof stderr === "string" ? stderr : "";
}

function exitCodeOf(error: unknown): unknown {
  return error instanceof AppError ? error.details["exitCode"] : undefined;
}
