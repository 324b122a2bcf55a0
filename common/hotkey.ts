/**
 * Hotkeys: verify what others sign, load or make the one that is ours. The only door to the @polkadot packages.
 *
 * Signatures are over raw bytes, under one scheme that the caller names: nothing is guessed, nothing is unwrapped.
 * The packages load on first use, and through `require`: as ES modules the same code takes 140 MB more memory.
 */
import { randomUUID } from "node:crypto";
import { link, mkdir, open, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname } from "node:path";

import type * as KeyringPackage from "@polkadot/keyring";
import type { KeyringPair } from "@polkadot/keyring/types";
import type * as WasmCrypto from "@polkadot/wasm-crypto";

import type { SignatureScheme } from "../protocol/btauth.ts";
import { AppError } from "../protocol/errors.ts";
import { verifyEd25519 } from "./ed25519.ts";
import { formatHotkeyFile, type HotkeyFile, parseHotkeyFile } from "./hotkey-file.ts";
import { decodeSs58 } from "./ss58.ts";
import { readKeyFile, refuseColdkey } from "./wallet/key-file.ts";

const require = createRequire(import.meta.url);
const PHRASE_WORDS = 12;

export interface Hotkey {
  readonly ss58: string;
  readonly scheme: SignatureScheme;
  /** 64 bytes over the bytes as they are; an sr25519 signature differs each time. */
  sign(bytes: Uint8Array): Uint8Array;
}

/** Makes sr25519 ready; await it once before the first verification. Harmless when repeated. */
export async function initHotkeys(): Promise<void> {
  await wasmCrypto().waitReady();
}

/** False for a wrong signature and for malformed input; never throws once `initHotkeys` is done. */
export function verifySignature(
  scheme: SignatureScheme,
  bytes: Uint8Array,
  signature: Uint8Array,
  ss58: string,
): boolean {
  const publicKey = decodeSs58(ss58);
  if (publicKey === undefined || signature.length !== 64) return false;
  switch (scheme) {
    case "sr25519":
      return wasmCrypto().sr25519Verify(signature, bytes, publicKey);
    case "ed25519":
      return verifyEd25519(publicKey, bytes, signature);
  }
}

/** A development key such as `//Alice`: everybody can sign with it, so it never leaves tests and development networks. */
export function devHotkey(uri: string, scheme: SignatureScheme = "sr25519"): Hotkey {
  return hotkeyOf(keyring(scheme).createFromUri(uri), scheme);
}

/**
 * Reads a hotkey file of btcli, seconds long when it is encrypted; `passwordFile` then names the file with its password.
 * Throws `hotkey-file-invalid` with the path, never with any of the content.
 */
export async function loadHotkey(path: string, passwordFile?: string): Promise<Hotkey> {
  await initHotkeys();
  const hotkey = await openKeyFile(path, passwordFile).catch((error: unknown) => {
    if (error instanceof AppError && "path" in error.details) throw error;
    const message = error instanceof AppError ? error.message : "The hotkey file has a secret that is no key.";
    throw new AppError("hotkey-file-invalid", { message, details: { path } });
  });
  await refuseColdkey(path, hotkey.ss58);
  return hotkey;
}

async function openKeyFile(path: string, passwordFile?: string): Promise<Hotkey> {
  return openHotkeyFile(parseHotkeyFile(await readKeyFile(path, passwordFile)));
}

/**
 * Makes an sr25519 hotkey and writes it as btcli does, readable by its owner alone, whole or not at all.
 * Throws `already-exists` when anything is at the path.
 */
export async function createHotkeyFile(path: string): Promise<Hotkey> {
  await initHotkeys();
  const phrase = wasmCrypto().bip39Generate(PHRASE_WORDS);
  const seed = wasmCrypto().bip39ToMiniSecret(phrase, "");
  const pair = wasmCrypto().sr25519KeypairFromSeed(seed);
  const text = formatHotkeyFile({ phrase, seed, secretKey: pair.subarray(0, 64), publicKey: pair.subarray(64) });
  await writeNewFile(path, text);
  return loadHotkey(path);
}

function wasmCrypto(): typeof WasmCrypto {
  return require("@polkadot/wasm-crypto");
}

function keyring(scheme: SignatureScheme) {
  const { Keyring }: typeof KeyringPackage = require("@polkadot/keyring");
  return new Keyring({ type: scheme, ss58Format: 42 });
}

function hotkeyOf(pair: KeyringPair, scheme: SignatureScheme): Hotkey {
  return { ss58: pair.address, scheme, sign: (bytes) => pair.sign(bytes) };
}

function openHotkeyFile(file: HotkeyFile): Hotkey {
  const hotkey = hotkeyOf(pairOf(file), file.scheme);
  if (file.ss58 === undefined) return hotkey;
  const probe = Buffer.from("lium: does this secret belong to that address?");
  if (!verifySignature(file.scheme, probe, hotkey.sign(probe), file.ss58)) {
    throw invalid("has a secret that does not belong to the address it names");
  }
  return hotkey;
}

/** The same order as btcli: phrase, seed, private key. */
function pairOf({ phrase, seed, secretKey, ss58, scheme }: HotkeyFile): KeyringPair {
  if (phrase !== undefined) {
    if (!wasmCrypto().bip39Validate(phrase))
      throw invalid("has a secret phrase with a word or a checksum that is wrong");
    return keyring(scheme).addFromSeed(wasmCrypto().bip39ToMiniSecret(phrase, ""));
  }
  if (seed !== undefined) return keyring(scheme).addFromSeed(seed);
  const publicKey = ss58 === undefined ? undefined : decodeSs58(ss58);
  if (secretKey === undefined || publicKey === undefined || scheme !== "sr25519") {
    throw invalid("has neither a phrase nor a seed");
  }
  return keyring(scheme).addFromPair({ publicKey, secretKey });
}

function invalid(what: string): AppError {
  return new AppError("hotkey-file-invalid", { message: `The hotkey file ${what}.` });
}

/** Links a finished file into place: unlike a rename, that fails when the name is taken. */
async function writeNewFile(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${randomUUID()}.new`;
  try {
    await writeFile(draft, text, { flag: "wx", mode: 0o600, flush: true });
    await link(draft, path);
  } catch (cause) {
    if (!isTaken(cause)) throw cause;
    throw new AppError("already-exists", {
      message: `${path} exists; nothing was overwritten.`,
      details: { path },
      cause,
    });
  } finally {
    await rm(draft, { force: true });
  }
  const folder = await open(dirname(path));
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function isTaken(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EEXIST";
}
