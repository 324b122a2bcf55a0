/**
 * A pod's files on the host: what is written, what is kept, what is refused before anything is written.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { generateSshHostKey } from "../../../../executor/ssh/host-key.ts";
import {
  readAuthorizedKeys,
  readHostKeyLine,
  removePodFiles,
  writeAuthorizedKeys,
  writePodFiles,
  writeSecretEnv,
} from "../../../../executor/ssh/pod-files.ts";
import { AppError } from "../../../../protocol/errors.ts";

const KEYS = ["ssh-ed25519 AAAA", "ssh-rsa BBBB"];

describe("a pod's files", () => {
  let root: string;
  let podDir: string;
  let secretDir: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "lium-pod-files-"));
    podDir = join(root, "pods/one");
    secretDir = join(root, "secrets/one");
  });

  afterEach(() => rmSync(root, { recursive: true }));

  it("hold the host key and one key a line, for root's eyes alone", async () => {
    const hostKey = generateSshHostKey();

    await writePodFiles(podDir, { hostKey, authorizedKeys: KEYS });

    expect(readFileSync(join(podDir, "host_ed25519"))).toEqual(hostKey.dropbear);
    expect(readFileSync(join(podDir, ".ssh/authorized_keys"), "utf8")).toBe(`${KEYS.join("\n")}\n`);
    expect([".ssh", "host_ed25519", ".ssh/authorized_keys"].map((name) => modeOf(join(podDir, name)))).toEqual([
      0o700, 0o600, 0o600,
    ]);
  });

  it("hold the pod's names, for everybody to read", async () => {
    const names = { hostname: "pod-1", nameservers: ["192.0.2.1"] };

    await writePodFiles(podDir, { hostKey: generateSshHostKey(), authorizedKeys: KEYS, names });

    expect(readFileSync(join(podDir, "names/hosts"), "utf8")).toMatch(
      /^127\.0\.0\.1 localhost$[^]*^127\.0\.1\.1 pod-1$/m,
    );
    expect(readFileSync(join(podDir, "names/resolv.conf"), "utf8")).toMatch(/^nameserver 192\.0\.2\.1$/m);
    expect(modeOf(join(podDir, "names/hostname"))).toBe(0o644);
  });

  it("keep their first host key, which renters have pinned", async () => {
    const first = generateSshHostKey();

    await writePodFiles(podDir, { hostKey: first, authorizedKeys: KEYS });
    await writePodFiles(podDir, { hostKey: generateSshHostKey(), authorizedKeys: KEYS });

    expect(await readHostKeyLine(podDir)).toBe(first.publicLine);
  });

  it("get another host key in place of a damaged one", async () => {
    const hostKey = generateSshHostKey();
    await writePodFiles(podDir, { hostKey: generateSshHostKey(), authorizedKeys: KEYS });
    writeFileSync(join(podDir, "host_ed25519"), "half a k");
    const damaged = await readHostKeyLine(podDir);

    await writePodFiles(podDir, { hostKey, authorizedKeys: KEYS });

    expect(damaged).toBeUndefined();
    expect(await readHostKeyLine(podDir)).toBe(hostKey.publicLine);
  });

  it("are not written again when nothing changed", async () => {
    const path = join(podDir, ".ssh/authorized_keys");
    await writeAuthorizedKeys(podDir, KEYS);
    const before = statSync(path).ino;

    await writeAuthorizedKeys(podDir, KEYS);

    expect(statSync(path).ino).toBe(before);
  });

  it("give back the keys that were written", async () => {
    const before = await readAuthorizedKeys(podDir);
    await writeAuthorizedKeys(podDir, KEYS);
    const written = await readAuthorizedKeys(podDir);
    await writeAuthorizedKeys(podDir, []);

    expect([before, written, await readAuthorizedKeys(podDir)]).toEqual([undefined, KEYS, []]);
  });

  it.each(["a\nssh-ed25519 evil", "a\r", "a\0b", ""])("refuse the key %j, and nothing is written", async (key) => {
    const refused = writePodFiles(podDir, { hostKey: generateSshHostKey(), authorizedKeys: [...KEYS, key] });

    await expect(refused).rejects.toMatchObject({ code: "ssh-key-invalid" });
    await expect(writeAuthorizedKeys(podDir, [key])).rejects.toMatchObject({ code: "ssh-key-invalid" });
    expect(readdirSync(root)).toEqual([]);
  });

  it("leave no drafts behind", async () => {
    await writePodFiles(podDir, { hostKey: generateSshHostKey(), authorizedKeys: KEYS });
    await writeSecretEnv(secretDir, { A: "1" });

    const names = ["hostname", "hosts", "resolv.conf"].map((name) => `names/${name}`);
    const inPod = ["", ".ssh", ".ssh/authorized_keys", "host_ed25519", "names", ...names];
    expect(readdirSync(root, { recursive: true }).map(String).toSorted()).toEqual(
      ["pods", ...inPod.map((name) => join("pods/one", name)), "secrets", "secrets/one", "secrets/one/env"].map(
        (path) => path.replace(/\/$/, ""),
      ),
    );
  });

  it("are gone after their removal, which may be repeated", async () => {
    await writePodFiles(podDir, { hostKey: generateSshHostKey(), authorizedKeys: KEYS });
    await writeSecretEnv(secretDir, { A: "1" });

    await removePodFiles({ podDir, secretDir });
    await removePodFiles({ podDir, secretDir });

    expect([readdirSync(join(root, "pods")), readdirSync(join(root, "secrets"))]).toEqual([[], []]);
  });

  it("hold one secret on each line, with newlines and backslashes written otherwise", async () => {
    await writeSecretEnv(secretDir, { A: "it's $(x)\nB=2\\n", _b1: "" });

    expect(readFileSync(join(secretDir, "env"), "utf8")).toBe("A=it's $(x)\\nB=2\\bn\n_b1=\n");
    expect([secretDir, join(secretDir, "env")].map(modeOf)).toEqual([0o700, 0o600]);
  });

  it.each([{ "A B": "hidden" }, { "1A": "hidden" }, { "": "hidden" }, { "A=B": "hidden" }, { A: "hidden\0B=2" }])(
    "refuse the secret %j without quoting its value",
    async (env) => {
      const error: unknown = await writeSecretEnv(secretDir, env).catch((thrown: unknown) => thrown);

      expect(error).toBeInstanceOf(AppError);
      expect(error).toMatchObject({ code: "invalid-request", details: { name: Object.keys(env)[0] } });
      expect(`${String(error)} ${JSON.stringify(error)}`).not.toContain("hidden");
      expect(readdirSync(root)).toEqual([]);
    },
  );
});

function modeOf(path: string): number {
  return statSync(path).mode & 0o777;
}
