/**
 * A copy of a database beside it, made before its schema is changed. One is kept; a copy is whole or not there at all.
 */
import { closeSync, fsyncSync, openSync, readdirSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";

import { AppError } from "../../protocol/errors.ts";
import { type Database, isDiskFull } from "./database.ts";

/** Gives the copy's path. Throws `disk-low` when there is no room; then nothing is left behind. */
export function backUp(db: Database, path: string, version: number): string {
  const [copy, draft] = [`${path}.before-v${version}`, `${path}.before-v${version}.part`];
  try {
    rmSync(draft, { force: true });
    db.prepare("VACUUM INTO ?").run(draft);
    syncFile(draft);
    renameSync(draft, copy);
  } catch (cause) {
    rmSync(draft, { force: true });
    if (!isDiskFull(cause)) throw cause;
    throw new AppError("disk-low", { message: `There is no room to back up ${path} before it is changed.`, cause });
  }
  removeOthers(copy, path);
  return copy;
}

/** Waits until the disk holds this file, or this folder's list of names. */
export function syncFile(path: string): void {
  const handle = openSync(path, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function removeOthers(kept: string, path: string): void {
  const folder = dirname(path);
  const prefix = `${basename(path)}.before-v`;
  for (const name of readdirSync(folder)) {
    if (name.startsWith(prefix) && name !== basename(kept)) rmSync(join(folder, name), { force: true });
  }
  syncFile(folder);
}
