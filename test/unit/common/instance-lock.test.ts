/** One daemon for one folder. */
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, it } from "vitest";

import { lockFolder } from "../../../common/instance-lock.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "lium-lock-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

it("a folder that is locked cannot be locked again, not even by another path", async () => {
  const unlock = await lockFolder(dir);
  const alias = `${dir}-alias`;
  symlinkSync(dir, alias);

  await expect(lockFolder(alias)).rejects.toMatchObject({ code: "already-exists" });

  rmSync(alias);
  unlock();
});

it("after it was let go it can be locked again", async () => {
  const unlock = await lockFolder(dir);
  unlock();

  const again = await lockFolder(dir);
  again();
});
