/**
 * An OpenSSH public key on one line: parsed down to the last byte, then written anew.
 *
 * What leaves this file is `type base64` and nothing else: no options, no comment, no byte that a shell, a file or a
 * terminal could take for something other than a key.
 */
import { createHash, createPublicKey } from "node:crypto";

import { z } from "zod";

import { AppError } from "./errors.ts";

const MAX_LINE_BYTES = 16 * 1024;
const MIN_RSA_BITS = 2048;
/** The largest that the SSH server of the pods takes: with a larger key nobody could log in. */
const MAX_RSA_BITS = 8_192;

export const SSH_KEY_TYPES = [
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "ssh-rsa",
  "sk-ssh-ed25519@openssh.com",
  "sk-ecdsa-sha2-nistp256@openssh.com",
] as const;
export type SshKeyType = (typeof SSH_KEY_TYPES)[number];

export interface SshKey {
  readonly type: SshKeyType;
  /** The canonical line: type, one space, base64; no comment, no line break. */
  readonly line: string;
  /** As `ssh-keygen -lf` prints it: `SHA256:` and base64 without padding. */
  readonly fingerprint: string;
  readonly comment: string;
}

/** Reads the length-prefixed strings of the SSH wire format, one after the other. */
interface Wire {
  next(): Buffer;
  rest(): number;
}

/** Throws `ssh-key-invalid`; `details.reason` says what is wrong with the line. One trailing line break is allowed. */
export function parseSshKey(text: string): SshKey {
  const { word, data, comment } = splitLine(text);
  const type = SSH_KEY_TYPES.find((known) => known === word);
  if (type === undefined) throw refusal(`the line must begin with one of ${SSH_KEY_TYPES.join(", ")}`);
  const blob = decodeBase64(data);
  const wire = wireOf(blob);
  if (wire.next().toString("latin1") !== type) throw refusal("the encoded key is of another type than the line says");
  checkKey(type, wire);
  if (wire.rest() !== 0) throw refusal("bytes follow the key");
  return {
    type,
    line: `${type} ${data}`,
    fingerprint: `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`,
    comment,
  };
}

/** A key line in, its canonical form out. */
export const SshPublicKey = z
  .string()
  .transform((text, context) => {
    try {
      return parseSshKey(text).line;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      context.addIssue({ code: "custom", message: error.message });
      return z.NEVER;
    }
  })
  .describe("An OpenSSH public key on one line, without options.");

function refusal(reason: string): AppError {
  return new AppError("ssh-key-invalid", { message: `The SSH key was refused: ${reason}.`, details: { reason } });
}

function splitLine(text: string): { word: string; data: string; comment: string } {
  if (Buffer.byteLength(text) > MAX_LINE_BYTES) throw refusal(`it is longer than ${MAX_LINE_BYTES} bytes`);
  const line = text.replace(/\r?\n$/, "");
  if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(line)) throw refusal("it holds a line break or another control character");
  const [, word, data, comment] = /^ *([^ ]+) +([^ ]+)(.*)$/.exec(line) ?? [];
  if (word === undefined || data === undefined) throw refusal("it must be a key type and base64, with a space between");
  // No key needs them: a comment that holds them was written for a shell.
  if (/["'`;]/.test(data + comment)) throw refusal("it holds a quote or a semicolon");
  return { word, data, comment: (comment ?? "").trim() };
}

function decodeBase64(data: string): Buffer {
  const blob = Buffer.from(data, "base64");
  if (blob.toString("base64") !== data) throw refusal("its second word is not canonical base64");
  return blob;
}

function wireOf(blob: Buffer): Wire {
  let at = 0;
  return {
    next() {
      if (blob.length - at < 4) throw refusal("the encoded key is cut short");
      const start = at + 4;
      const end = start + blob.readUInt32BE(at);
      if (end > blob.length) throw refusal("the encoded key is cut short");
      at = end;
      return blob.subarray(start, end);
    },
    rest: () => blob.length - at,
  };
}

function checkKey(type: SshKeyType, wire: Wire): void {
  switch (type) {
    case "ssh-ed25519":
      return checkEd25519(wire);
    case "ecdsa-sha2-nistp256":
      return checkEcdsa(wire, "nistp256");
    case "ecdsa-sha2-nistp384":
      return checkEcdsa(wire, "nistp384");
    case "ecdsa-sha2-nistp521":
      return checkEcdsa(wire, "nistp521");
    case "ssh-rsa":
      return checkRsa(wire);
    case "sk-ssh-ed25519@openssh.com":
      checkEd25519(wire);
      return checkApplication(wire);
    case "sk-ecdsa-sha2-nistp256@openssh.com":
      checkEcdsa(wire, "nistp256");
      return checkApplication(wire);
  }
}

function checkEd25519(wire: Wire): void {
  if (wire.next().length !== 32) throw refusal("an ed25519 key has 32 bytes");
}

const CURVES = {
  nistp256: { crv: "P-256", bytes: 32 },
  nistp384: { crv: "P-384", bytes: 48 },
  nistp521: { crv: "P-521", bytes: 66 },
} as const;

function checkEcdsa(wire: Wire, name: keyof typeof CURVES): void {
  if (wire.next().toString("latin1") !== name) throw refusal("the curve is not the one that the type names");
  const { crv, bytes } = CURVES[name];
  const point = wire.next();
  if (point.length !== 1 + 2 * bytes || point[0] !== 4) throw refusal("the point must be uncompressed and complete");
  const x = point.toString("base64url", 1, 1 + bytes);
  const y = point.toString("base64url", 1 + bytes);
  try {
    createPublicKey({ key: { kty: "EC", crv, x, y }, format: "jwk" });
  } catch {
    throw refusal("the point is not on the curve");
  }
}

function checkRsa(wire: Wire): void {
  const exponent = readPositive(wire);
  const modulus = readPositive(wire);
  const bits = modulus.toString(2).length;
  if (bits < MIN_RSA_BITS || bits > MAX_RSA_BITS) {
    throw refusal(`an RSA modulus has ${MIN_RSA_BITS} to ${MAX_RSA_BITS} bits, this one has ${bits}`);
  }
  if (modulus % 2n === 0n) throw refusal("an RSA modulus is odd");
  if (exponent < 3n || exponent % 2n === 0n || exponent >= modulus) throw refusal("the RSA exponent cannot be right");
}

/** An mpint that is positive and has no needless leading zero. */
function readPositive(wire: Wire): bigint {
  const bytes = wire.next();
  const [first = 0, second = 0] = bytes;
  if (bytes.length === 0 || first > 0x7f) throw refusal("a number in the key is not positive");
  if (first === 0 && second <= 0x7f) throw refusal("a number in the key is not minimal");
  return BigInt(`0x${bytes.toString("hex")}`);
}

/** What a security key was made for; `ssh:` as a rule. */
function checkApplication(wire: Wire): void {
  if (!/^[\x20-\x7e]{1,255}$/.test(wire.next().toString("latin1"))) throw refusal("the application is not plain text");
}
