/**
 * The pod kit as this machine's packages make it, and its scripts under the very busybox that runs them in pods.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readlinkSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

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

  it("says why it cannot be built", async () => {
    writeFileSync(join(stateDir, "file"), "");

    await expect(buildPodKit({ stateDir: join(stateDir, "file"), ...options() })).rejects.toMatchObject({
      code: "kit-unavailable",
    });
  });
});

describe("the kit's environment script", () => {
  it("brings any value back byte by byte, and evaluates none", () => {
    const folder = mkdtempSync(join(tmpdir(), "lium-environment-"));
    const script = `. ${ENVIRONMENT}; accepts() { :; }; load_environment "$1"; exec /usr/bin/env -0`;
    const byte = fc.integer({ min: 1, max: 255 });
    const value = fc.oneof(
      fc.array(byte, { maxLength: 200 }),
      fc.constantFrom("$(touch X)", "`id`", "\n", "'\"\\", " a ").map((text) => [...Buffer.from(text)]),
    );
    try {
      fc.assert(
        fc.property(fc.array(value, { minLength: 1, maxLength: 8 }), (values) => {
          const entries = values.map((bytes, index) =>
            Buffer.from(`V${index}=`.concat(Buffer.from(bytes).toString("latin1")), "latin1"),
          );
          writeFileSync(join(folder, "env"), Buffer.concat(entries.flatMap((entry) => [entry, Buffer.from([0])])));

          const output = execFileSync("busybox", ["sh", "-c", script, "sh", join(folder, "env")], {
            env: {},
            cwd: folder,
            encoding: "latin1",
          });

          const seen = output.split("\0").filter((entry) => /^V\d=/.test(entry));
          expect(seen.toSorted()).toEqual(entries.map((entry) => entry.toString("latin1")).toSorted());
          expect(readdirSync(folder)).toEqual(["env"]);
        }),
        { numRuns: 60 },
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("leaves out names that no shell can hold instead of ending there", () => {
    const folder = mkdtempSync(join(tmpdir(), "lium-environment-"));
    try {
      writeFileSync(join(folder, "env"), "a.b=1\0OPTIND=x\0=\x002=3\0noequals sign\0lium_kit=/evil\0GOOD=yes\0cut");
      const script = `. ${ENVIRONMENT}; accepts() { :; }; load_environment "$1"; exec /usr/bin/env`;

      const output = execFileSync("busybox", ["sh", "-c", script, "sh", join(folder, "env")], {
        env: {},
        encoding: "utf8",
      });

      expect(output).toMatch(/^GOOD=yes$/m);
      expect(output).not.toMatch(/a\.b|OPTIND|2=3|noequals|cut/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
