/**
 * A hotkey file of btcli as text, decrypted where it is encrypted. A coldkey owns the funds and is never opened:
 * it is refused by its name before it is read, and by its address when the wallet says what that is.
 */
import { readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { AppError } from "../../protocol/errors.ts";
import { decryptKeyFile, isEncrypted } from "./encryption.ts";

const MAX_BYTES = 64 * 1024;

/** `passwordFile` holds the password alone; it is read only when the key is encrypted. Throws `hotkey-file-invalid`. */
export async function readKeyFile(path: string, passwordFile?: string): Promise<string> {
  if (basename(path).startsWith("coldkey"))
    throw refusal(path, `${path} is a coldkey; it must not be on this machine.`);
  const file = await read(path);
  if (!isEncrypted(file)) return file.toString("utf8");
  if (passwordFile === undefined) {
    throw refusal(path, "The hotkey file is encrypted; name a file with its password: passwordFile in [hotkey].");
  }
  const password = (await read(passwordFile)).toString("utf8").replace(/\r?\n$/, "");
  return (await decryptKeyFile(file, password)).toString("utf8");
}

/** Throws `hotkey-file-invalid` when the wallet that `path` lies in names this address as its coldkey. */
export async function refuseColdkey(path: string, ss58: string): Promise<void> {
  const coldkey = join(dirname(dirname(path)), "coldkeypub.txt");
  // Most hotkeys lie in no wallet, and have no such file beside them.
  const text = await readFile(coldkey, "utf8").catch(() => "");
  if (text.includes(ss58)) throw refusal(path, `${path} holds the coldkey; it must not be on this machine.`);
}

async function read(path: string): Promise<Buffer> {
  const file = await readFile(path).catch((cause: unknown) => {
    throw new AppError("hotkey-file-invalid", { message: `${path} cannot be read.`, details: { path }, cause });
  });
  if (file.length > MAX_BYTES) throw refusal(path, `${path} is too large for a key.`);
  return file;
}

function refusal(path: string, message: string): AppError {
  return new AppError("hotkey-file-invalid", { message, details: { path } });
}
