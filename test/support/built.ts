/**
 * The daemons as they are released, for tests that measure them: `npm run build` into a folder aside, which then takes the
 * place of dist/ at once, so that whoever runs from there meanwhile finds either of the two.
 */
import { cp, mkdtemp, rename, rm } from "node:fs/promises";
import { join } from "node:path";

import { exec } from "../../common/exec.ts";

const ROOT = join(import.meta.dirname, "../..");
const BUILD_MS = 120_000;

export async function buildDaemons(): Promise<void> {
  const aside = await mkdtemp(join(ROOT, "dist-"));
  try {
    const [fresh, old] = [join(aside, "fresh"), join(aside, "old")];
    const compiler = join(ROOT, "node_modules/.bin/tsc");
    const limits = { signal: AbortSignal.timeout(BUILD_MS), timeoutMs: BUILD_MS, cwd: ROOT };
    // It writes what it can in spite of type errors, which are `npm run types`' to tell.
    const allowExitCodes = [0, 2];
    await exec(process.execPath, [compiler, "-p", "tsconfig.build.json", "--outDir", fresh], {
      ...limits,
      allowExitCodes,
    });
    await cp(join(ROOT, "executor/ssh/kit"), join(fresh, "executor/ssh/kit"), { recursive: true });
    await rename(join(ROOT, "dist"), old).catch(() => undefined);
    await rename(fresh, join(ROOT, "dist"));
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}
