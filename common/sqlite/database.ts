/**
 * SQLite as the daemons use it: a write is on the disk when it returns (WAL, synchronous FULL), several statements are
 * one step or none, and an error tells damage from a full disk. Files are opened for service by `stored.ts`.
 */
import { DatabaseSync } from "node:sqlite";

import { AppError } from "../../protocol/errors.ts";

export type { DatabaseSync as Database } from "node:sqlite";

const BUSY_MS = 5_000;

/** Opens or makes the file. `:memory:` gives a database that forgets. */
export function openDatabase(path: string): DatabaseSync {
  const db = new DatabaseSync(path);
  db.exec(`PRAGMA busy_timeout = ${BUSY_MS}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;`);
  return db;
}

/** Opens a file that nobody else has open, and keeps them out. Throws `already-exists` when somebody has. */
export function openAlone(path: string): DatabaseSync {
  const db = new DatabaseSync(path);
  try {
    // Set before the first look at the file, it takes the whole file with that look.
    db.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = FULL; BEGIN IMMEDIATE; COMMIT;");
    return db;
  } catch (cause) {
    db.close();
    if (primaryCode(cause) !== SQLITE_BUSY) throw cause;
    throw new AppError("already-exists", { message: `A running program has ${path} open; stop it first.`, cause });
  }
}

/** Opens a file that exists, to look at it alone; a daemon may be writing to it. */
export function openToRead(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { readOnly: true });
  db.exec(`PRAGMA busy_timeout = ${BUSY_MS}`);
  return db;
}

/** All of the work is on the disk, or nothing of it. */
export function inTransaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    db.exec("COMMIT");
    return result;
  } catch (error) {
    // A disk that is full has ended the transaction already.
    if (db.isTransaction) db.exec("ROLLBACK");
    throw error;
  }
}

/**
 * The file cannot be read as a database, wholly or in places; also when its description of itself makes no sense, so that
 * a right statement fails there.
 */
export function isUnreadable(error: unknown): boolean {
  const code = primaryCode(error);
  return code === SQLITE_ERROR || code === SQLITE_CORRUPT || code === SQLITE_NOTADB || isShortRead(error);
}

/** There was no room for what was to be written; to open a database takes some, too. */
export function isDiskFull(error: unknown): boolean {
  if (primaryCode(error) === SQLITE_FULL || extendedCode(error) === SQLITE_IOERR_SHMSIZE) return true;
  return error instanceof Error && "code" in error && error.code === "ENOSPC";
}

const SQLITE_ERROR = 1;
const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_NOTADB = 26;
const SQLITE_IOERR_SHORT_READ = 522;
const SQLITE_IOERR_SHMSIZE = 4874;

function isShortRead(error: unknown): boolean {
  return extendedCode(error) === SQLITE_IOERR_SHORT_READ;
}

function extendedCode(error: unknown): number | undefined {
  return error instanceof Error && "errcode" in error && typeof error.errcode === "number" ? error.errcode : undefined;
}

function primaryCode(error: unknown): number | undefined {
  const code = extendedCode(error);
  return code === undefined ? undefined : code & 0xff;
}
