/**
 * Files that are replaced in one step.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { writeFileAtomic } from "../../../common/atomic-file.ts";

describe("writeFileAtomic", () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "lium-atomic-"));
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  it("writes the content with exactly the mode that was asked for", async () => {
    await writeFileAtomic(join(folder, "a"), "content", 0o666);

    expect(readFileSync(join(folder, "a"), "utf8")).toBe("content");
    expect(statSync(join(folder, "a")).mode & 0o777).toBe(0o666);
  });

  it("replaces the file instead of writing into it: who has it open reads the old content to its end", async () => {
    writeFileSync(join(folder, "a"), "old");
    const before = statSync(join(folder, "a")).ino;

    await writeFileAtomic(join(folder, "a"), "new", 0o600);

    expect(statSync(join(folder, "a")).ino).not.toBe(before);
    expect(readdirSync(folder)).toEqual(["a"]);
  });

  it("leaves the old content and no draft when it fails", async () => {
    mkdirSync(join(folder, "a"));
    writeFileSync(join(folder, "a/inside"), "old");

    await expect(writeFileAtomic(join(folder, "a"), "new", 0o600)).rejects.toThrow("EISDIR");

    expect(readdirSync(folder, { recursive: true })).toEqual(["a", "a/inside"]);
  });

  it("lets the last of many writers win, with one whole content", async () => {
    const contents = Array.from({ length: 20 }, (_, index) => String(index).repeat(50_000));

    await Promise.all(contents.map((content) => writeFileAtomic(join(folder, "a"), content, 0o600)));

    expect(contents).toContain(readFileSync(join(folder, "a"), "utf8"));
    expect(readdirSync(folder)).toEqual(["a"]);
  });
});
