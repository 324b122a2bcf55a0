/**
 * Host keys that we write for dropbear, checked against OpenSSH's reading of them.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { generateSshHostKey, readSshHostKey } from "../../../../executor/ssh/host-key.ts";

describe("an SSH host key", () => {
  it("reads back as it was written", () => {
    const key = generateSshHostKey();

    expect(readSshHostKey(key.dropbear)).toEqual(key);
  });

  it("is another one each time", () => {
    expect(generateSshHostKey().publicLine).not.toBe(generateSshHostKey().publicLine);
  });

  it("is understood by ssh-keygen, which gives it the same fingerprint", () => {
    const { publicLine, fingerprint } = generateSshHostKey();
    const folder = mkdtempSync(join(tmpdir(), "lium-host-key-"));
    try {
      writeFileSync(join(folder, "key.pub"), `${publicLine}\n`);

      const printed = execFileSync("ssh-keygen", ["-lf", join(folder, "key.pub")], { encoding: "utf8" });

      expect(printed.split(" ").slice(0, 2)).toEqual(["256", fingerprint]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it.each([
    { what: "an empty file", damage: () => Buffer.alloc(0) },
    { what: "a cut file", damage: (key: Buffer) => key.subarray(0, -1) },
    { what: "a longer file", damage: (key: Buffer) => Buffer.concat([key, Buffer.alloc(1)]) },
    { what: "another algorithm", damage: (key: Buffer) => flipped(key, 8) },
    { what: "another seed", damage: (key: Buffer) => flipped(key, 20) },
    { what: "another public key", damage: (key: Buffer) => flipped(key, 80) },
  ])("is refused: $what", ({ damage }) => {
    const damaged = damage(generateSshHostKey().dropbear);

    expect(() => readSshHostKey(damaged)).toThrow("damaged");
  });
});

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt8(copy.readUInt8(at) ^ 1, at);
  return copy;
}
