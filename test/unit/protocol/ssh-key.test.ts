/**
 * Key lines against the machine's own ssh-keygen, against keys built by hand, and against arbitrary damage.
 */
import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { AppError } from "../../../protocol/errors.ts";
import { parseSshKey, SSH_KEY_TYPES, SshPublicKey } from "../../../protocol/ssh-key.ts";

const TYPES = new Set<string>(SSH_KEY_TYPES);
const CANONICAL = /^[a-z0-9@.-]+ [A-Za-z0-9+/=]+$/;

function wireString(value: string | Uint8Array): Buffer {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function lineOf(type: string, ...fields: (string | Uint8Array)[]): string {
  return `${type} ${Buffer.concat([type, ...fields].map(wireString)).toString("base64")}`;
}

function pointOf(curve: string): Buffer {
  const { x = "", y = "" } = generateKeyPairSync("ec", { namedCurve: curve }).publicKey.export({ format: "jwk" });
  return Buffer.concat([Buffer.of(4), Buffer.from(x, "base64url"), Buffer.from(y, "base64url")]);
}

function mpint(value: bigint): Buffer {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
  return (bytes[0] ?? 0) > 0x7f ? Buffer.concat([Buffer.of(0), bytes]) : bytes;
}

function reasonOf(text: string): string {
  try {
    parseSshKey(text);
  } catch (error) {
    if (error instanceof AppError && error.code === "ssh-key-invalid") return String(error.details["reason"]);
    throw error;
  }
  throw new Error("the key was accepted");
}

const ED25519_BYTES = Buffer.alloc(32, 7);
const ED25519 = lineOf("ssh-ed25519", ED25519_BYTES);
const P256 = pointOf("P-256");
const ECDSA = lineOf("ecdsa-sha2-nistp256", "nistp256", P256);
const MODULUS = (1n << 2047n) + 1n;
const E = mpint(65_537n);

let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), "lium-ssh-key-"))));
afterAll(() => rmSync(folder, { recursive: true }));

function askSshKeygen(line: string): string {
  const path = join(folder, "asked.pub");
  writeFileSync(path, `${line}\n`);
  return execFileSync("ssh-keygen", ["-lf", path], { encoding: "utf8" }).split(" ")[1] ?? "";
}

describe("what ssh-keygen makes is read as ssh-keygen reads it", () => {
  test.each([
    ["ed25519", "256", "ssh-ed25519"],
    ["ecdsa", "256", "ecdsa-sha2-nistp256"],
    ["ecdsa", "384", "ecdsa-sha2-nistp384"],
    ["ecdsa", "521", "ecdsa-sha2-nistp521"],
    ["rsa", "2048", "ssh-rsa"],
    ["rsa", "3072", "ssh-rsa"],
  ])("%s %s", (algorithm, bits, type) => {
    const path = join(folder, `${algorithm}-${bits}`);
    execFileSync("ssh-keygen", ["-q", "-t", algorithm, "-b", bits, "-N", "", "-C", "who@where", "-f", path]);
    const text = readFileSync(`${path}.pub`, "utf8");

    const key = parseSshKey(text);

    expect(key).toEqual({
      type,
      line: text.split(" ").slice(0, 2).join(" "),
      fingerprint: askSshKeygen(text.trim()),
      comment: "who@where",
    });
  });

  test.each([
    ["sk-ssh-ed25519@openssh.com", lineOf("sk-ssh-ed25519@openssh.com", ED25519_BYTES, "ssh:")],
    ["sk-ecdsa-sha2-nistp256@openssh.com", lineOf("sk-ecdsa-sha2-nistp256@openssh.com", "nistp256", P256, "ssh:")],
    ["ecdsa-sha2-nistp521", lineOf("ecdsa-sha2-nistp521", "nistp521", pointOf("P-521"))],
    ["ssh-rsa", lineOf("ssh-rsa", E, mpint(MODULUS))],
    ["ssh-rsa", lineOf("ssh-rsa", E, mpint((1n << 8_191n) + 1n))],
  ])("%s built by hand", (type, line) => {
    const key = parseSshKey(line);

    expect(key).toEqual({ type, line, fingerprint: askSshKeygen(line), comment: "" });
  });
});

describe("what stands around a key", () => {
  test.each([
    ["one line break", `${ED25519}\n`],
    ["a line break of Windows", `${ED25519}\r\n`],
    ["blanks", `  ${ED25519.replace(" ", "   ")}  `],
    ["a comment", `${ED25519} somebody @ home $(reboot) | id`],
    ["a comment beyond ASCII", `${ED25519} žluťoučký 鍵`],
  ])("%s is dropped", (_, text) => {
    expect(parseSshKey(text).line).toBe(ED25519);
  });

  test("a comment is told apart from the line", () => {
    expect(parseSshKey(`${ED25519}  two  words `).comment).toBe("two  words");
  });

  test.each([
    ["options", `no-pty,command="id" ${ED25519}`, /begin with/],
    ["a quoted option", `environment="A=b c" ${ED25519}`, /quote/],
    ["a quote in the comment", `${ED25519} "home"`, /quote/],
    ["a semicolon in the comment", `${ED25519} a; reboot`, /semicolon/],
    ["two line breaks", `${ED25519}\n\n`, /control character/],
    ["a second key", `${ED25519}\n${ED25519}`, /control character/],
    ["a line break in the comment", `${ED25519} a\nb`, /control character/],
    ["a carriage return", `${ED25519}\r`, /control character/],
    ["a tab", ED25519.replace(" ", "\t"), /control character/],
    ["a NUL", `${ED25519} \0`, /control character/],
    ["an escape", `${ED25519} \u001b[2J`, /control character/],
    ["a line separator", `${ED25519} \u2028`, /control character/],
    ["a line before it", `\n${ED25519}`, /control character/],
    ["nothing at all", "", /key type and base64/],
    ["a type alone", "ssh-ed25519", /key type and base64/],
    ["more than 16 KiB", `${ED25519} ${"x".repeat(16 * 1024)}`, /longer/],
    ["more than 16 KiB in few characters", `${ED25519} ${"鍵".repeat(6000)}`, /longer/],
  ])("%s is refused", (_, text, reason) => {
    expect(reasonOf(text)).toMatch(reason);
  });
});

describe("what a key must be", () => {
  const blob = ED25519.split(" ")[1] ?? "";

  test.each([
    ["DSA", lineOf("ssh-dss", E, E, E, E), /begin with/],
    ["a certificate", lineOf("ssh-ed25519-cert-v01@openssh.com", ED25519_BYTES), /begin with/],
    ["an upper-case type", `SSH-ED25519 ${blob}`, /begin with/],
    ["another type inside", `ssh-rsa ${blob}`, /another type/],
    ["base64 without padding", ECDSA.replace(/=+$/, ""), /canonical base64/],
    ["base64 with stray bits", ECDSA.replace(/.=$/, (end) => `${end === "A=" ? "B" : "C"}=`), /canonical base64/],
    ["base64 of URLs", `ssh-ed25519 ${blob.replace("B", "_")}`, /canonical base64/],
    ["junk in the base64", `ssh-ed25519 ${blob.slice(0, 8)}!${blob.slice(8)}`, /canonical base64/],
    ["base64 cut short", `ssh-ed25519 ${blob.slice(0, -4)}`, /cut short/],
    ["a length beyond the end", `ssh-ed25519 ${Buffer.from("ffffffff00", "hex").toString("base64")}`, /cut short/],
    ["no key inside", lineOf("ssh-ed25519"), /cut short/],
    ["31 bytes", lineOf("ssh-ed25519", Buffer.alloc(31)), /32 bytes/],
    ["33 bytes", lineOf("ssh-ed25519", Buffer.alloc(33)), /32 bytes/],
    ["trailing bytes", lineOf("ssh-ed25519", ED25519_BYTES, ""), /follow the key/],
    ["another curve", lineOf("ecdsa-sha2-nistp256", "nistp384", pointOf("P-384")), /not the one/],
    ["a compressed point", lineOf("ecdsa-sha2-nistp256", "nistp256", Buffer.alloc(33, 2)), /uncompressed/],
    ["a point marked as compressed", lineOf("ecdsa-sha2-nistp256", "nistp256", Buffer.alloc(65, 2)), /uncompressed/],
    ["a point cut short", lineOf("ecdsa-sha2-nistp384", "nistp384", pointOf("P-384").subarray(1)), /uncompressed/],
    ["a point off the curve", lineOf("ecdsa-sha2-nistp256", "nistp256", Buffer.alloc(65, 4)), /on the curve/],
    ["RSA of 2047 bits", lineOf("ssh-rsa", E, mpint(MODULUS >> 1n)), /2047/],
    ["RSA of 8193 bits", lineOf("ssh-rsa", E, mpint((1n << 8_192n) + 1n)), /8193/],
    ["an even modulus", lineOf("ssh-rsa", E, mpint(MODULUS + 1n)), /odd/],
    ["an exponent of one", lineOf("ssh-rsa", mpint(1n), mpint(MODULUS)), /exponent/],
    ["an even exponent", lineOf("ssh-rsa", mpint(4n), mpint(MODULUS)), /exponent/],
    ["an exponent above the modulus", lineOf("ssh-rsa", mpint(MODULUS + 2n), mpint(MODULUS)), /exponent/],
    ["an exponent of zero", lineOf("ssh-rsa", "", mpint(MODULUS)), /not positive/],
    ["a negative modulus", lineOf("ssh-rsa", E, mpint(MODULUS).subarray(1)), /not positive/],
    ["a padded modulus", lineOf("ssh-rsa", E, Buffer.concat([Buffer.of(0), mpint(MODULUS)])), /not minimal/],
    ["a security key without application", lineOf("sk-ssh-ed25519@openssh.com", ED25519_BYTES), /cut short/],
    ["an application with a NUL", lineOf("sk-ssh-ed25519@openssh.com", ED25519_BYTES, "ssh:\0"), /plain text/],
  ])("%s is refused", (_, text, reason) => {
    expect(reasonOf(text)).toMatch(reason);
  });
});

describe("as a field of a request", () => {
  test("a key comes out canonical, and once more unchanged", () => {
    const once = SshPublicKey.parse(`${ED25519} me\n`);

    expect(once).toBe(ED25519);
    expect(SshPublicKey.parse(once)).toBe(ED25519);
  });

  test("a bad key is an issue with its reason, not an exception", () => {
    const result = SshPublicKey.safeParse("ssh-dss AAAA");

    expect(result.success).toBe(false);
    expect(result.error?.issues[0]?.message).toMatch(/^The SSH key was refused: the line must begin with one of/);
  });
});

describe("whatever comes in", () => {
  const good = [
    ED25519,
    ECDSA,
    lineOf("ssh-rsa", E, mpint(MODULUS)),
    lineOf("sk-ssh-ed25519@openssh.com", ED25519_BYTES, "ssh:"),
  ];
  const nasty = fc.constantFrom(
    "\n",
    "\r",
    "\0",
    '"',
    "'",
    ";",
    "$(id)",
    "`",
    "|",
    "&",
    " ",
    "=",
    ",",
    "\u2028",
    "é",
    "#",
  );

  function isRefusedOrCanonical(text: string): boolean {
    const result = SshPublicKey.safeParse(text);
    return !result.success || (CANONICAL.test(result.data) && TYPES.has(result.data.split(" ")[0] ?? ""));
  }

  test("arbitrary text gives a refusal or a canonical line", () => {
    fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 400 }), isRefusedOrCanonical));
  });

  test("a key with anything spliced into it gives a refusal or a canonical line", () => {
    const spliced = fc
      .tuple(
        fc.constantFrom(...good),
        fc.nat(),
        fc.nat(3),
        fc.oneof(nasty, fc.string({ unit: "binary", maxLength: 8 })),
      )
      .map(
        ([line, at, gone, put]) => line.slice(0, at % (line.length + 1)) + put + line.slice((at % line.length) + gone),
      );
    fc.assert(fc.property(spliced, isRefusedOrCanonical), { numRuns: 3000 });
  });

  test("a flipped bit in the encoded key gives a refusal or that very blob", () => {
    const flipped = fc.tuple(fc.constantFrom(...good), fc.nat()).map(([line, nth]) => {
      const [type, data = ""] = line.split(" ");
      const bytes = Buffer.from(data, "base64");
      const bit = nth % (bytes.length * 8);
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      return `${type} ${bytes.toString("base64")}`;
    });
    fc.assert(
      fc.property(flipped, (line) => {
        const result = SshPublicKey.safeParse(line);
        return !result.success || result.data === line;
      }),
      { numRuns: 2000 },
    );
  });
});
