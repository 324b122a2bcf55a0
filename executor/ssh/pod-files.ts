/**
 * A pod's files on the host: its SSH host key, who may log in, its names, and, in memory only, its secret environment.
 * Each is replaced in one step and seen by the running pod at once; what is there already is not written again.
 */
import { chown, mkdir, readFile, rm } from "node:fs/promises";
import { basename, join } from "node:path";

import { writeFileAtomic } from "../../common/atomic-file.ts";
import { AppError } from "../../protocol/errors.ts";
import { readSshHostKey, type SshHostKey } from "./host-key.ts";
import { NAMES_DIR, nameFileTexts, type Names, podHostname } from "./name-files.ts";

export interface PodFiles {
  /** Written only where the pod has no sound key yet: renters pin the first one. */
  readonly hostKey: SshHostKey;
  /** Canonical `type base64` lines. */
  readonly authorizedKeys: readonly string[];
  /** Those of the pod whose id the folder has for its name, when left out. */
  readonly names?: Names;
  /** Ourselves when left out; as in the functions below. */
  readonly owner?: FileOwner | undefined;
}

/** Whom the files belong to where the engine maps users: root in a pod is then somebody else on the host. */
export interface FileOwner {
  readonly uid: number;
  readonly gid: number;
}

const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Idempotent. Rejects with `ssh-key-invalid`, before anything is written, when a key is more than one line. */
export async function writePodFiles(podDir: string, files: PodFiles): Promise<void> {
  const { hostKey, authorizedKeys, names, owner } = files;
  const text = keysText(authorizedKeys);
  await mkdir(sshDir(podDir), { recursive: true, mode: 0o700 });
  await Promise.all([
    keepHostKey(podDir, hostKey),
    writeWhereChanged(keysPath(podDir), text),
    writeNames(podDir, names ?? { hostname: podHostname(basename(podDir)) }),
  ]);
  await giveTo(owner, [hostKeyPath(podDir), keysPath(podDir), sshDir(podDir), podDir]);
}

/** Replaces the list of keys; counts from the next login on. Rejects with `ssh-key-invalid` as above. */
export async function writeAuthorizedKeys(podDir: string, keys: readonly string[], owner?: FileOwner): Promise<void> {
  const text = keysText(keys);
  await mkdir(sshDir(podDir), { recursive: true, mode: 0o700 });
  await writeWhereChanged(keysPath(podDir), text);
  await giveTo(owner, [keysPath(podDir), sshDir(podDir), podDir]);
}

/** The keys that may log in now; undefined for a pod without files. */
export async function readAuthorizedKeys(podDir: string): Promise<string[] | undefined> {
  const text = await readIfThere(keysPath(podDir));
  return text?.toString("utf8").split("\n").filter(Boolean);
}

/** The public line of the pod's host key; undefined where there is none yet, or a damaged one. */
export async function readHostKeyLine(podDir: string): Promise<string | undefined> {
  const bytes = await readIfThere(hostKeyPath(podDir));
  return bytes && soundKey(bytes)?.publicLine;
}

/**
 * Writes what only the pod may read, to a folder that must lie in memory (tmpfs). Rejects with `invalid-request`, which
 * names the variable and never its value, when a name is not a shell's or a value holds a NUL.
 */
export async function writeSecretEnv(
  secretDir: string,
  env: Readonly<Record<string, string>>,
  owner?: FileOwner,
): Promise<void> {
  for (const [name, value] of Object.entries(env)) {
    if (ENV_NAME.test(name) && !value.includes("\0")) continue;
    throw new AppError("invalid-request", { message: "A secret variable cannot be set.", details: { name } });
  }
  const entries = Object.entries(env).map(([name, value]) => `${name}=${oneLine(value)}\n`);
  await mkdir(secretDir, { recursive: true, mode: 0o700 });
  await writeWhereChanged(join(secretDir, "env"), entries.join(""));
  await giveTo(owner, [join(secretDir, "env"), secretDir]);
}

/** Removes both folders of a pod that is over. Idempotent. */
export async function removePodFiles(dirs: { readonly podDir: string; readonly secretDir: string }): Promise<void> {
  await Promise.all([dirs.secretDir, dirs.podDir].map((dir) => rm(dir, { recursive: true, force: true })));
}

/** The SSH server takes keys only from files and folders that belong to root of its pod. */
async function giveTo(owner: FileOwner | undefined, paths: readonly string[]): Promise<void> {
  if (owner === undefined) return;
  await Promise.all(paths.map((path) => chown(path, owner.uid, owner.gid)));
}

/** The kit's environment script undoes this. */
function oneLine(value: string): string {
  return value.replaceAll("\\", "\\b").replaceAll("\n", "\\n");
}

/** For every user of the pod to read. */
async function writeNames(podDir: string, names: Names): Promise<void> {
  await mkdir(join(podDir, NAMES_DIR), { recursive: true, mode: 0o755 });
  const texts = Object.entries(nameFileTexts(names));
  await Promise.all(texts.map(([name, text]) => writeWhereChanged(join(podDir, NAMES_DIR, name), text, 0o644)));
}

async function keepHostKey(podDir: string, hostKey: SshHostKey): Promise<void> {
  const existing = await readIfThere(hostKeyPath(podDir));
  if (existing !== undefined && soundKey(existing) !== undefined) return;
  await writeFileAtomic(hostKeyPath(podDir), hostKey.dropbear, 0o600);
}

function soundKey(bytes: Buffer): SshHostKey | undefined {
  try {
    return readSshHostKey(bytes);
  } catch {
    // A damaged key is as good as none: the caller makes a new one.
    return undefined;
  }
}

function keysText(keys: readonly string[]): string {
  if (keys.some((key) => key === "" || /[\r\n\0]/.test(key))) throw new AppError("ssh-key-invalid");
  return keys.map((key) => `${key}\n`).join("");
}

async function writeWhereChanged(path: string, text: string, mode = 0o600): Promise<void> {
  const existing = await readIfThere(path);
  if (existing?.equals(Buffer.from(text))) return;
  await writeFileAtomic(path, text, mode);
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

function sshDir(podDir: string): string {
  return join(podDir, ".ssh");
}

function keysPath(podDir: string): string {
  return join(sshDir(podDir), "authorized_keys");
}

function hostKeyPath(podDir: string): string {
  return join(podDir, "host_ed25519");
}
