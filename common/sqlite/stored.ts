/**
 * Opens a daemon's database file for service, whatever happened to it: a damaged one is salvaged, an older one is backed up
 * and brought to the newest version, one that is newer by more than a step is refused and not touched.
 */
import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

import { AppError } from "../../protocol/errors.ts";
import { backUp } from "./backup.ts";
import { type Database, isUnreadable, isDiskFull, openAlone, openDatabase, openToRead } from "./database.ts";
import { beginSalvage, finishSalvage, needsSalvage, type SalvageReport } from "./salvage.ts";
import { type Shape, shapeOf } from "./shape.ts";
import { type Migrations, refuseTooNew, stepBack, stepForward, versionOf } from "./versions.ts";

/** What had to be done to the file; for the log and for the host's problems. */
export interface OpeningReport {
  readonly salvage?: SalvageReport;
  readonly migrated?: { readonly from: number; readonly to: number; readonly backup: string };
}

export interface OpenedDatabase {
  readonly db: Database;
  readonly report: OpeningReport;
}

/** Throws `state-too-new`, and `disk-low` when there is no room for a backup or for the new version. */
export function openStored(path: string, migrations: Migrations, nowMs: number): OpenedDatabase {
  try {
    return path === ":memory:" ? openNew(path, migrations) : openFile(path, migrations, nowMs);
  } catch (cause) {
    if (!isDiskFull(cause)) throw cause;
    throw new AppError("disk-low", { message: `There is no room for ${path}.`, cause });
  }
}

/**
 * Takes the file one version back, for the program before this one. A copy is kept beside it. Throws `already-exists` while
 * somebody else has the file open, and `invalid-request` when it is of another version than the newest.
 */
export function stepStoredBack(path: string, migrations: Migrations): void {
  const db = openAlone(path);
  try {
    backUp(db, path, migrations.length - 1);
    stepBack(db, migrations);
  } finally {
    db.close();
  }
}

function openNew(path: string, migrations: Migrations): OpenedDatabase {
  const db = openDatabase(path);
  stepForward(db, migrations);
  return { db, report: {} };
}

function openFile(path: string, migrations: Migrations, nowMs: number): OpenedDatabase {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  refuseTooNew(versionIn(path), migrations.length, path);
  const salvage = needsSalvage(path, (version) => shapeAt(migrations.slice(0, version)))
    ? salvageFile(path, migrations, nowMs)
    : undefined;
  const version = versionIn(path);
  const db = openDatabase(path);
  try {
    const isOlder = version > 0 && version < migrations.length;
    const backup = isOlder ? backUp(db, path, migrations.length) : undefined;
    if (version < migrations.length) stepForward(db, migrations);
    const migrated = backup === undefined ? {} : { migrated: { from: version, to: migrations.length, backup } };
    return { db, report: { ...(salvage === undefined ? {} : { salvage }), ...migrated } };
  } catch (error) {
    db.close();
    throw error;
  }
}

function shapeAt(migrations: Migrations): Shape {
  const { db } = openNew(":memory:", migrations);
  try {
    return shapeOf(db);
  } finally {
    db.close();
  }
}

function salvageFile(path: string, migrations: Migrations, nowMs: number): SalvageReport {
  const fresh = beginSalvage(path);
  if (fresh !== undefined) openNew(fresh, migrations).db.close();
  return finishSalvage(path, nowMs);
}

/** 0 also for what has no version that could be read. */
function versionIn(path: string): number {
  if (!existsSync(path) || statSync(path).size === 0) return 0;
  let db: Database | undefined;
  try {
    // Only to read: nothing is changed, not even by bringing the write-ahead log into the file.
    db = openToRead(path);
    return versionOf(db) ?? 0;
  } catch (error) {
    if (isUnreadable(error)) return 0;
    throw error;
  } finally {
    db?.close();
  }
}
