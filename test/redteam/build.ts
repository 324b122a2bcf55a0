/**
 * Compiles the red team's program with this machine's gcc: one static file that runs in any image. The same sources are
 * compiled once; the result stays in the folder for temporary files.
 */
import { createHash } from "node:crypto";
import { access, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { exec } from "../../common/exec.ts";

const FLAGS = ["-static", "-O2", "-Wall", "-Wextra", "-Werror"];
const COMPILE_MS = 120_000;

/** The program's path on this machine. Rejects with `command-failed`, and what gcc says, when it cannot be compiled. */
export async function buildRedTeam(): Promise<string> {
  const names = (await readdir(import.meta.dirname)).filter((name) => /\.[ch]$/.test(name)).toSorted();
  const paths = names.map((name) => join(import.meta.dirname, name));
  const hash = createHash("sha256").update(FLAGS.join(" "));
  for (const path of paths) hash.update(await readFile(path));
  const program = join(tmpdir(), `lium-redteam-${hash.digest("hex").slice(0, 16)}`);
  if (await exists(program)) return program;

  const folder = await mkdtemp(join(tmpdir(), "lium-redteam-build-"));
  try {
    const sources = paths.filter((path) => path.endsWith(".c"));
    const signal = AbortSignal.timeout(COMPILE_MS);
    await exec("gcc", [...FLAGS, "-o", join(folder, "redteam"), ...sources], { signal, timeoutMs: COMPILE_MS });
    await rename(join(folder, "redteam"), program);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return program;
}

/** The names of all attempts, from the program itself. */
export async function attemptNames(program: string): Promise<string[]> {
  const { stdout } = await exec(program, ["list"], { signal: AbortSignal.timeout(10_000), timeoutMs: 10_000 });
  return stdout.trim().split("\n");
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
