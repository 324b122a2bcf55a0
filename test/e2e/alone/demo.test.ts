/** The README's main command, as a newcomer runs it, twice. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, describe, expect, it } from "vitest";

import { exec } from "../../../common/exec.ts";

const ROOT = join(import.meta.dirname, "../../..");
const stateDir = mkdtempSync(join(tmpdir(), "lium-demo-test-"));
afterAll(() => rmSync(stateDir, { recursive: true, force: true }));

async function demo(): Promise<{ result: Record<string, unknown>; said: string }> {
  const args = [join(ROOT, "installer/main.ts"), "demo", "--once", "--json", "--state-dir", stateDir];
  const { stdout, stderr } = await exec(process.execPath, args, {
    signal: AbortSignal.timeout(300_000),
    timeoutMs: 300_000,
    cwd: ROOT,
  });
  return { result: JSON.parse(stdout), said: stderr };
}

describe("./install.sh demo --once --json", () => {
  it("rents a pod, logs in, shows the timeline and cleans up; a second run reuses the set-up", async () => {
    const first = await demo();
    const second = await demo();

    for (const { result } of [first, second]) {
      expect(result).toMatchObject({
        pod: { sshCommandOutput: expect.stringContaining("uid=0(root)"), copiedBytes: 1_048_576 },
        timelineMs: {
          accepted: expect.any(Number),
          pulled: expect.any(Number),
          created: expect.any(Number),
          started: expect.any(Number),
          sshReady: expect.any(Number),
        },
        cleanedUp: true,
      });
    }
    expect(second.said).not.toMatch(/Installing|Building/);
    expect(second.said).toContain("Everything that was started has ended.");
  }, 600_000);
});
