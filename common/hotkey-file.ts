/**
 * The text of a plain hotkey file, as btcli writes it and reads it back: JSON, or in old wallets a bare phrase or seed.
 * No file, no clock, no key is made here.
 *
 * Nothing of a file's content may reach an error or a log, so no cause is kept from parsing it.
 */
import { z } from "zod";

import type { SignatureScheme } from "../protocol/btauth.ts";
import { AppError } from "../protocol/errors.ts";
import { decodeSs58, encodeSs58 } from "./ss58.ts";

/** What a file says; at least one of phrase, seed and secretKey is there. */
export interface HotkeyFile {
  /** Absent in the bare files of old wallets. */
  readonly ss58?: string | undefined;
  readonly scheme: SignatureScheme;
  readonly phrase?: string | undefined;
  /** 32 bytes. */
  readonly seed?: Uint8Array | undefined;
  /** 64 bytes, in the form that @polkadot uses. */
  readonly secretKey?: Uint8Array | undefined;
}

export interface NewHotkey {
  readonly phrase: string;
  readonly seed: Uint8Array;
  readonly secretKey: Uint8Array;
  readonly publicKey: Uint8Array;
}

const BARE_SEED = /^(0x)?[0-9a-fA-F]{64}$/;
const BARE_PHRASE = /^[a-z]+( [a-z]+){11,23}$/;
/** btcli keeps the secret scalar as it is, @polkadot keeps it times eight. */
const COFACTOR_BITS = 3n;

const Contents = z.object({
  ss58Address: z.string().refine((text) => decodeSs58(text) !== undefined),
  secretPhrase: z.string().nullish(),
  secretSeed: hex(32).nullish(),
  privateKey: hex(64).nullish(),
  cryptoType: z.literal([0, 1]).nullish(),
});

/** Exports of polkadot.js, and the schemes that sign what we cannot. */
const OfAnotherKind = z.union([
  z.object({ encoded: z.string(), encoding: z.unknown() }),
  z.object({ accountType: z.string().regex(/hashed|mldsa/i) }),
  z.object({ signingScheme: z.string().regex(/hashed|mldsa/i) }),
]);

/** Throws `hotkey-file-invalid`; its message continues the sentence "The hotkey file …". */
export function parseHotkeyFile(text: string): HotkeyFile {
  const bare = text.trim();
  if (BARE_SEED.test(bare)) return { scheme: "sr25519", seed: hex(32).parse(bare) };
  if (BARE_PHRASE.test(bare)) return { scheme: "sr25519", phrase: bare };
  const json = trimNames(parseJson(text));
  if (OfAnotherKind.safeParse(json).success) {
    throw refusal("is of polkadot.js or has a hashed or post-quantum scheme; make a plain one with btcli");
  }
  const contents = Contents.safeParse(json);
  if (!contents.success) throw refusal("is not a plain hotkey file of btcli");
  const { ss58Address, secretPhrase, secretSeed, privateKey, cryptoType } = contents.data;
  if (!secretPhrase && !secretSeed && !privateKey) throw refusal("holds no secret; a public key alone cannot sign");
  return {
    ss58: ss58Address,
    scheme: cryptoType === 0 ? "ed25519" : "sr25519",
    phrase: secretPhrase ?? undefined,
    seed: secretSeed ?? undefined,
    secretKey: privateKey ? shiftScalar(privateKey, COFACTOR_BITS) : undefined,
  };
}

/** The text of a file for a new sr25519 key. */
export function formatHotkeyFile({ phrase, seed, secretKey, publicKey }: NewHotkey): string {
  return JSON.stringify({
    accountId: toHex(publicKey),
    publicKey: toHex(publicKey),
    privateKey: toHex(shiftScalar(secretKey, -COFACTOR_BITS)),
    secretPhrase: phrase,
    secretSeed: toHex(seed),
    ss58Address: encodeSs58(publicKey),
  });
}

function refusal(what: string): AppError {
  return new AppError("hotkey-file-invalid", { message: `The hotkey file ${what}.` });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Some old wallets wrote a blank before a name. */
function trimNames(json: unknown): unknown {
  if (typeof json !== "object" || json === null) return undefined;
  return Object.fromEntries(Object.entries(json).map(([name, value]) => [name.trim(), value]));
}

function hex(bytes: number) {
  return z
    .string()
    .regex(new RegExp(`^(0x)?[0-9a-fA-F]{${2 * bytes}}$`))
    .transform((text) => new Uint8Array(Buffer.from(text.replace("0x", ""), "hex")));
}

function toHex(bytes: Uint8Array): string {
  return `0x${Buffer.from(bytes).toString("hex")}`;
}

/** The first 32 bytes are a little-endian number, the rest stays. */
function shiftScalar(secretKey: Uint8Array, bits: bigint): Uint8Array {
  const scalar = BigInt(`0x${Buffer.from(secretKey.subarray(0, 32)).reverse().toString("hex")}`);
  const shifted = BigInt.asUintN(256, scalar << bits);
  const bytes = Buffer.from(shifted.toString(16).padStart(64, "0"), "hex").reverse();
  return new Uint8Array(Buffer.concat([bytes, secretKey.subarray(32)]));
}
