/**
 * The versions of a database file and the steps between them.
 *
 * The rule that lets an older program go on with a newer file: a step only adds. New tables, new columns and new fields in
 * records may be absent, and what is there keeps its meaning; so the version before can read and write the file, and
 * the newer one goes on afterwards. What must go away goes one release after the last program that needs it.
 * The version stands in two places of the header (`user_version`, `application_id`), so that one flipped bit is no version.
 */
import { AppError } from "../../protocol/errors.ts";
import { type Database, inTransaction } from "./database.ts";

/** `down` makes a file that the version before can read although it does not know this one. */
export interface Migration {
  readonly up: (db: Database) => void;
  readonly down: (db: Database) => void;
}

/** The n-th migration leads from version n-1 to n. One that was released is never changed. */
export type Migrations = readonly Migration[];

/** "LP" in the upper half; the version in the lower one. Files before version 2 have none. */
const MARK = 0x4c50_0000;
const FIRST_MARKED = 2;

/** 0 for an empty database, undefined where the header contradicts itself. */
export function versionOf(db: Database): number | undefined {
  const version = pragma(db, "user_version");
  const mark = pragma(db, "application_id");
  return mark === markOf(version) ? version : undefined;
}

/** Throws `state-too-new` when a program wrote the file that is more than one step ahead of us. */
export function refuseTooNew(version: number, newest: number, path: string): void {
  if (version <= newest + 1) return;
  throw new AppError("state-too-new", {
    message: `${path} is of version ${version}, and this program reads up to ${newest + 1}. It was not touched.`,
    details: { path, version, readable: newest + 1 },
  });
}

/** All steps up to the newest version in one transaction; a newer file stays as it is. */
export function stepForward(db: Database, migrations: Migrations): void {
  inTransaction(db, () => {
    const from = versionOf(db) ?? 0;
    for (const { up } of migrations.slice(from)) up(db);
    if (from < migrations.length) setVersion(db, migrations.length);
  });
}

/** One step back, in one transaction, from the newest version. Throws `invalid-request` from any other. */
export function stepBack(db: Database, migrations: Migrations): void {
  inTransaction(db, () => {
    const from = versionOf(db);
    if (from !== migrations.length || from < 2) {
      throw new AppError("invalid-request", { message: `There is no step back from version ${from ?? "unknown"}.` });
    }
    migrations[from - 1]?.down(db);
    setVersion(db, from - 1);
  });
}

function setVersion(db: Database, version: number): void {
  db.exec(`PRAGMA user_version = ${version}; PRAGMA application_id = ${markOf(version)};`);
}

function markOf(version: number): number {
  return version < FIRST_MARKED ? 0 : MARK + version;
}

function pragma(db: Database, name: "user_version" | "application_id"): number {
  return Number(db.prepare(`PRAGMA ${name}`).get()?.[name]);
}
