/**
 * The certificate that executors pin: elliptic, valid for long, and read back only together with its key.
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { loadCertificate, makeCertificate, saveCertificate } from "../../../../agent/link/certificate.ts";

describe("the agent's certificate", () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "lium-certificate-"));
  });

  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it("is elliptic, signs itself and lasts for decades", async () => {
    const { cert, key, fingerprint } = await makeCertificate(Date.now());

    const parsed = new X509Certificate(cert);
    expect(createPrivateKey(key).asymmetricKeyDetails).toEqual({ namedCurve: "prime256v1" });
    expect(parsed.verify(parsed.publicKey)).toBe(true);
    expect(new Date(parsed.validTo).getFullYear() - new Date().getFullYear()).toBeGreaterThanOrEqual(29);
    expect(fingerprint).toBe(parsed.fingerprint256.replaceAll(":", "").toLowerCase());
  });

  it("is read back as it was saved, and nobody else may read it", async () => {
    const made = await makeCertificate(Date.now());

    await saveCertificate(folder, made);

    expect(await loadCertificate(folder)).toEqual(made);
    const modes = await Promise.all(["link-key.pem", "link-certificate.pem"].map((name) => stat(join(folder, name))));
    expect(modes.map(({ mode }) => mode & 0o777)).toEqual([0o600, 0o600]);
  });

  it("is missing in an empty folder", async () => {
    expect(await loadCertificate(folder)).toBeUndefined();
  });

  it("is refused with another key, and with what is no key, without repeating any of it", async () => {
    const [one, other] = [await makeCertificate(Date.now()), await makeCertificate(Date.now())];
    await saveCertificate(folder, { ...one, key: other.key });
    await expect(loadCertificate(folder)).rejects.toMatchObject({ code: "config-invalid" });

    await writeFile(join(folder, "link-key.pem"), "-----BEGIN PRIVATE KEY-----\nhunter2");

    const error: unknown = await loadCertificate(folder).catch((refusal: unknown) => refusal);
    expect(error).toMatchObject({ code: "config-invalid" });
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain("hunter2");
  });
});
