/**
 * The pod kit as this machine's packages make it, and its scripts under the very busybox that runs them in pods.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { writeSecretEnv } from "../../executor/ssh/pod-files.ts";
import { buildPodKit } from "../../executor/ssh/pod-kit.ts";

const options = () => ({ signal: AbortSignal.timeout(20_000) });
const ENVIRONMENT = new URL("../../executor/ssh/kit/environment.sh", import.meta.url).pathname;

describe("the pod kit of this machine", () => {
  let stateDir: string;

  beforeAll(() => {
    stateDir = mkdtempSync(join(tmpdir(), "lium-kit-"));
  });

  afterAll(() => rmSync(stateDir, { recursive: true }));

  it("is built once, also by several at the same time, and leaves no drafts", async () => {
    const all = await Promise.all([1, 2, 3].map(() => buildPodKit({ stateDir, ...options() })));
    const builtAt = statSync(all[0]?.dir ?? "").mtimeMs;
    const again = await buildPodKit({ stateDir, ...options() });

    expect(new Set([...all, again].map(({ dir }) => dir)).size).toBe(1);
    expect(readdirSync(join(stateDir, "kit"))).toEqual([again.version]);
    expect(statSync(again.dir).mtimeMs).toBe(builtAt);
  });

  it("brings every library that its programs load, and looks for them nowhere else", async () => {
    const { dir } = await buildPodKit({ stateDir, ...options() });

    for (const name of ["dropbear", "sftp-server", "scp", "setpriv", "env"]) {
      const ask = (what: string) =>
        execFileSync("patchelf", [what, join(dir, "bin", name)], { encoding: "utf8" }).trim();
      expect(ask("--print-rpath")).toBe("/.lium/k/lib");
      expect(ask("--print-interpreter")).toMatch(/^\/\.lium\/k\/lib\/ld-/);
      expect(readdirSync(join(dir, "lib"))).toEqual(expect.arrayContaining(ask("--print-needed").split("\n")));
    }
    expect(readlinkSync(join(dir, "bin/sh"))).toBe("busybox");
  });

  it("speaks of its own account files in the C library, and of no slow ones in the server", async () => {
    const { dir } = await buildPodKit({ stateDir, ...options() });
    const [library, server] = ["lib/libc.so.6", "bin/dropbear"].map((path) => readFileSync(join(dir, path), "latin1"));

    expect(library).toContain("\0/.lium/k/pw\0");
    expect(library).not.toContain("\0/etc/passwd\0");
    expect(server).not.toContain("/proc/net/tcp");
  });

  it("says why it cannot be built", async () => {
    writeFileSync(join(stateDir, "file"), "");

    await expect(buildPodKit({ stateDir: join(stateDir, "file"), ...options() })).rejects.toMatchObject({
      code: "kit-unavailable",
    });
  });
});

describe("the kit's environment script", () => {
  const SCRIPT = `. ${ENVIRONMENT}; load_secrets "$1"; save_environment "$2"; exec env -i busybox sh -c '. "$1"; exec /usr/bin/env -0' sh "$2"`;
  let folder: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "lium-environment-"));
  });

  afterAll(() => rmSync(folder, { recursive: true }));

  /** What a session sees of these secrets. */
  async function throughPod(env: Record<string, string>): Promise<Record<string, string>> {
    await writeSecretEnv(folder, env);
    const args = ["sh", "-c", SCRIPT, "sh", join(folder, "env"), join(folder, "saved")];
    const output = execFileSync("busybox", args, { env: { PATH: "/usr/bin:/bin" }, cwd: folder, encoding: "utf8" });
    const entries = output.split("\0").filter((entry) => entry !== "");
    return Object.fromEntries(entries.map((entry) => [entry.replace(/=.*/s, ""), entry.replace(/^[^=]*=/, "")]));
  }

  it("brings any secret to a session as it is, and evaluates none", async () => {
    const special = fc.constantFrom(
      "$(touch evil)",
      "`touch evil`",
      "\n",
      "'",
      '"',
      "\\",
      "\\n",
      "\\b",
      " ",
      "*",
      "é",
      "\u0001",
      "\u0081",
    );
    const text = fc.array(fc.oneof(special, fc.string({ unit: "binary", maxLength: 8 })), { maxLength: 12 });
    const value = text.map((parts) => parts.join("").replaceAll("\0", ""));
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.stringMatching(/^V[0-9a-z_]{0,5}$/), value, { maxKeys: 6 }), async (env) => {
        expect(await throughPod(env)).toMatchObject(env);
        expect(readdirSync(folder).toSorted()).toEqual(["env", "saved"]);
      }),
      { numRuns: 60 },
    );
  });

  it("survives names that mean something to a shell", async () => {
    const env = Object.fromEntries(
      ["IFS", "OPTIND", "PS1", "PS4", "ENV", "LINENO", "RANDOM", "_"].map((name) => [name, "x y"]),
    );

    expect(await throughPod({ ...env, LAST: "here" })).toMatchObject({ LAST: "here", ENV: "x y" });
  });

  it("leaves to a session what it has of its own, and lets nobody else read the rest", async () => {
    const seen = await throughPod({ HOME: "/pod", SSH_CONNECTION: "pod", SSH_KEY_NAME: "kept" });

    expect(seen).toMatchObject({ SSH_KEY_NAME: "kept" });
    expect(Object.keys(seen)).not.toEqual(expect.arrayContaining(["HOME"]));
    expect(seen["SSH_CONNECTION"]).toBeUndefined();
    expect(statSync(join(folder, "saved")).mode & 0o777).toBe(0o600);
  });
});
