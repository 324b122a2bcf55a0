/** What reads our test output believes its last line, so that line must be right, above all when tests could not run. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

const projectRoot = new URL("../../", import.meta.url);

const RUN = `
  import { startVitest } from "vitest/node";
  import { ClosingLine } from "./test/support/closing-line.ts";
  const [root] = process.argv.slice(1);
  const reporters = ["default", new ClosingLine()];
  const vitest = await startVitest("test", [], { root, config: false, watch: false, globals: true, reporters });
  await vitest.close();
`;

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lium-closing-line-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** Runs vitest on these files alone. */
async function runTests(files: Record<string, string>): Promise<{ exitCode: number | null; lastLine: string }> {
  const root = await mkdtemp(join(folder, "run-"));
  for (const [name, source] of Object.entries(files)) await writeFile(join(root, name), source);

  const args = ["--input-type=module", "--eval", RUN, "--", root];
  return await new Promise((resolve) => {
    const child = execFile(process.execPath, args, { cwd: projectRoot, timeout: 25_000 }, (_error, stdout) => {
      resolve({ exitCode: child.exitCode, lastLine: stdout.trimEnd().split("\n").at(-1) ?? "" });
    });
  });
}

describe("the closing line", () => {
  it("counts what passed and what was skipped", async () => {
    const files = {
      "a.test.ts": `it("a", () => {}); it.skip("b", () => {}); it.todo("c");`,
      "b.test.ts": `it("d", () => {});`,
    };

    expect(await runTests(files)).toEqual({ exitCode: 0, lastLine: "2 passed, 0 failed, 2 skipped" });
  });

  it("counts failed tests, failed hooks and errors outside tests", async () => {
    const files = {
      "test.test.ts": `it("a", () => { throw new Error("no"); }); it("b", () => {});`,
      "hook.test.ts": `describe("c", () => { beforeAll(() => { throw new Error("no"); }); it("d", () => {}); });`,
      "stray.test.ts": `it("e", () => { setImmediate(() => { throw new Error("stray"); }); });`,
    };

    expect(await runTests(files)).toEqual({ exitCode: 1, lastLine: "2 passed, 3 failed, 1 skipped" });
  });

  it("counts a file that cannot be loaded as failed", async () => {
    const files = { "good.test.ts": `it("a", () => {});`, "bad.test.ts": `import "./missing.ts"; it("b", () => {});` };

    expect(await runTests(files)).toEqual({ exitCode: 1, lastLine: "1 passed, 1 failed" });
  });

  it("never says that nothing failed when nothing was found", async () => {
    expect(await runTests({})).toEqual({ exitCode: 1, lastLine: "0 passed, 1 failed" });
  });
});
