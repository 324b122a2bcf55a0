/**
 * Puts the pod kit together on disk. It is complete where it has its name: it grows beside its place and moves there whole.
 */
import { chmod, mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { syncPath } from "../../common/atomic-file.ts";
import { exec } from "../../common/exec.ts";
import { type KitFiles, PATCHELF_ARGS } from "./kit-content.ts";
import { PATCHELF_PATH, PROGRAMS } from "./kit-sources.ts";

export interface KitPlan {
  readonly files: KitFiles;
  /** The name of the loader among the libraries. */
  readonly loader: string;
  readonly signal: AbortSignal;
}

const STEP_MS = 30_000;

/** Rejects with whatever went wrong; nothing is left behind then. `dir` may appear meanwhile, with the same content. */
export async function assembleKit(dir: string, plan: KitPlan): Promise<void> {
  const parent = dirname(dir);
  await mkdir(parent, { recursive: true, mode: 0o755 });
  const draft = await mkdtemp(join(parent, ".draft-"));
  try {
    await fill(draft, plan.files);
    await relink(draft, plan);
    await syncAll(draft, plan.files);
    await tryOut(draft, plan);
    await rename(draft, dir).catch((error: unknown) => {
      if (!isTaken(error)) throw error;
    });
    await syncPath(parent);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

async function fill(dir: string, files: KitFiles): Promise<void> {
  for (const folder of foldersOf(dir)) {
    await mkdir(folder, { recursive: true });
    await chmod(folder, 0o755);
  }
  const written = [...files].map(async ([path, { mode, content }]) => {
    await writeFile(join(dir, path), content);
    await chmod(join(dir, path), mode);
  });
  await Promise.all([...written, symlink("busybox", join(dir, "bin/sh"))]);
}

/** Makes every program use the kit's own loader and libraries, wherever else the image has some. */
async function relink(dir: string, { loader, signal }: KitPlan): Promise<void> {
  const args = PATCHELF_ARGS.map((word) => word.replace("LOADER", loader));
  const dynamic = PROGRAMS.filter((program) => program.static !== true).map(({ name }) => join(dir, "bin", name));
  await Promise.all(dynamic.map((path) => exec(PATCHELF_PATH, [...args, path], { signal, timeoutMs: STEP_MS })));
}

async function syncAll(dir: string, files: KitFiles): Promise<void> {
  await Promise.all([...files.keys()].map((path) => syncPath(join(dir, path))));
  await Promise.all(foldersOf(dir).map(syncPath));
}

/** A file system that lets no program run, or a program that patchelf broke, must show here and not in a pod. */
async function tryOut(dir: string, { loader, signal }: KitPlan): Promise<void> {
  const run = (file: string, args: readonly string[]) => exec(join(dir, file), args, { signal, timeoutMs: STEP_MS });
  const load = (program: string, flag: string) =>
    run(`lib/${loader}`, ["--library-path", join(dir, "lib"), join(dir, "bin", program), flag]);
  await Promise.all([
    run("bin/busybox", ["true"]),
    load("dropbear", "-V"),
    load("setpriv", "--version"),
    load("env", "--version"),
  ]);
}

function foldersOf(dir: string): string[] {
  return [dir, join(dir, "bin"), join(dir, "lib")];
}

/** Another process was faster. */
function isTaken(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOTEMPTY" || error.code === "EEXIST");
}
