/** What all pods of a host share is raised, never lowered, and never silently left too low. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { raiseSharedLimits, SHARED_LIMITS } from "../../../../executor/host/shared-limits.ts";

describe("raiseSharedLimits", () => {
  let root: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "lium-limits-"));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  function put(path: string, text: string): void {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }

  it("raises what is too low and says what it raised", async () => {
    put("fs/aio-max-nr", "65536\n");

    expect(await raiseSharedLimits(root)).toEqual(["fs/aio-max-nr"]);

    expect(Number(readFileSync(join(root, "fs/aio-max-nr"), "utf8"))).toBe(64 * 2 ** 20);
  });

  it("leaves alone what is high enough, and what this kernel does not have", async () => {
    put("fs/aio-max-nr", "9999999999\n");

    expect(await raiseSharedLimits(root)).toEqual([]);

    expect(readFileSync(join(root, "fs/aio-max-nr"), "utf8")).toBe("9999999999\n");
  });

  it("names every limit that cannot be raised", async () => {
    for (const { path } of SHARED_LIMITS) put(path, "1\n");
    // The kernel refuses so large a number there.
    rmSync(join(root, "kernel/pty/max"));
    symlinkSync("/proc/self/oom_adj", join(root, "kernel/pty/max"));

    const raised = raiseSharedLimits(root);

    await expect(raised).rejects.toMatchObject({
      code: "isolation-unavailable",
      details: { refused: ["kernel/pty/max"] },
    });
  });
});
