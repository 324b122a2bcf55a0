/** Folders of pods on the disk. Mounts and loop devices are tried in test/e2e/strays.test.ts. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, it } from "vitest";

import { linuxThings } from "../../../../executor/strays/linux-things.ts";
import { podId } from "../../../support/builders.ts";

const signal = AbortSignal.timeout(10_000);
let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "lium-things-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

it("folders that bear a pod's id are listed with their age, and nothing beside them", async () => {
  const path = join(root, podId(1));
  mkdirSync(path);
  mkdirSync(join(root, "kit"));
  writeFileSync(join(root, podId(2)), "a file");

  const { folders } = await linuxThings().list([root, join(root, "missing")], signal);

  expect(folders).toEqual([{ path, createdAtMs: expect.any(Number) }]);
});

it("a folder goes with all that is in it, and removing it again is harmless", async () => {
  const path = join(root, podId(1));
  mkdirSync(join(path, ".ssh"), { recursive: true });
  writeFileSync(join(path, ".ssh/authorized_keys"), "");

  await linuxThings().removeFolder(path, signal);
  await linuxThings().removeFolder(path, signal);

  expect(existsSync(path)).toBe(false);
});

it("a folder in which something is mounted is left alone", async () => {
  await expect(linuxThings().removeFolder("/", signal)).rejects.toThrow("is mounted");
});
