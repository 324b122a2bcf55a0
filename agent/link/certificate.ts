/**
 * The agent's own TLS certificate. Nobody vouches for it: executors pin its fingerprint, which their join token names,
 * so it is made once and has to last. Losing it means that every host must be enrolled again.
 */
import { createHash, createPrivateKey, X509Certificate } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { writeFileAtomic } from "../../common/atomic-file.ts";
import { AppError } from "../../protocol/errors.ts";

const VALID_YEARS = 30;
const YEAR_MS = 365.25 * 24 * 3_600_000;

export interface Certificate {
  /** PEM. */
  readonly cert: string;
  /** PEM of the private key. Secret. */
  readonly key: string;
  /** SHA-256 of the DER in lower-case hex. */
  readonly fingerprint: string;
}

/** An EC P-256 certificate that is valid for 30 years. The maker is loaded only here: it is big, and needed once. */
export async function makeCertificate(nowMs: number): Promise<Certificate> {
  const { generate } = await import("selfsigned");
  const made = await generate([{ name: "commonName", value: "lium-agent" }], {
    keyType: "ec",
    curve: "P-256",
    algorithm: "sha256",
    notBeforeDate: new Date(nowMs),
    notAfterDate: new Date(nowMs + VALID_YEARS * YEAR_MS),
  });
  return readCertificate(made.cert, made.private);
}

/** What the folder holds, or undefined when there is none. Throws `config-invalid` for a certificate without its key. */
export async function loadCertificate(folder: string): Promise<Certificate | undefined> {
  const { certPath, keyPath } = pathsIn(folder);
  if (!existsSync(certPath) || !existsSync(keyPath)) return undefined;
  const [cert, key] = await Promise.all([readFile(certPath, "utf8"), readFile(keyPath, "utf8")]);
  return readCertificate(cert, key);
}

/** The key first: alone it means nothing, so a crash in between leaves nothing half done. */
export async function saveCertificate(folder: string, { cert, key }: Certificate): Promise<void> {
  const { certPath, keyPath } = pathsIn(folder);
  await writeFileAtomic(keyPath, key, 0o600);
  await writeFileAtomic(certPath, cert, 0o600);
}

function pathsIn(folder: string): { certPath: string; keyPath: string } {
  return { certPath: join(folder, "link-certificate.pem"), keyPath: join(folder, "link-key.pem") };
}

/** Throws `config-invalid` for texts that are not a certificate and its key. */
function readCertificate(cert: string, key: string): Certificate {
  try {
    const parsed = new X509Certificate(cert);
    if (parsed.checkPrivateKey(createPrivateKey(key))) return { cert, key, fingerprint: fingerprintOf(parsed) };
  } catch {
    // What cannot be parsed is refused like what does not fit; parsers' messages may repeat parts of a key.
  }
  throw new AppError("config-invalid", { message: "The agent's certificate and private key do not belong together." });
}

function fingerprintOf({ raw }: X509Certificate): string {
  return createHash("sha256").update(raw).digest("hex");
}
