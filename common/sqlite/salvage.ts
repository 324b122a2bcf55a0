/**
 * What is done with a database file that is damaged: it is moved aside, and every row that can still be read is copied
 * into a new one. A crash on the way is taken up where it stopped; the damaged file is never changed and never lost.
 */
import { existsSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";

import { syncFile } from "./backup.ts";
import { type Database, inTransaction, isUnreadable, openDatabase, openToRead } from "./database.ts";
import { type Row, readableRows } from "./readable-rows.ts";
import { hasUsableHeader, includesAll, type Shape, shapeOf } from "./shape.ts";
import { versionOf } from "./versions.ts";

export interface SalvageReport {
  /** Where the damaged file is now. */
  readonly movedTo: string;
  /** For each table how many rows came over. */
  readonly rows: Readonly<Record<string, number>>;
}

/** Larger files are looked at less closely, since the daemon waits for it. */
const CLOSE_LOOK_BYTES = 64 * 2 ** 20;
/** Older damaged files make room for the newest. */
const KEPT = 3;
const SIDE_FILES = ["-wal", "-shm"];

/**
 * Whether the file must be salvaged, also because a salvage was cut short. A file that is not there is sound.
 * `expected`: the shape that a database with this version has at least; undefined when that is not known.
 */
export function needsSalvage(path: string, expected: (version: number) => Shape | undefined): boolean {
  if (existsSync(salvaging(path))) return true;
  if (!existsSync(path)) return false;
  if (statSync(path).size === 0) return existsSync(`${path}-wal`) && statSync(`${path}-wal`).size > 0;
  if (!hasUsableHeader(path)) return true;
  let db: Database | undefined;
  try {
    db = openToRead(path);
    const version = versionOf(db);
    if (version === undefined || !isSound(db, statSync(path).size)) return true;
    const shape = expected(version);
    return shape !== undefined && !includesAll(shapeOf(db), shape);
  } catch (error) {
    if (isUnreadable(error)) return true;
    throw error;
  } finally {
    db?.close();
  }
}

function isSound(db: Database, bytes: number): boolean {
  const check = bytes <= CLOSE_LOOK_BYTES ? "integrity_check" : "quick_check";
  return db.prepare(`PRAGMA ${check}(1)`).get()?.[check] === "ok";
}

/**
 * Moves the damaged file aside. Gives where a new one, with its tables and no rows, is to be made; undefined when that was
 * done before a crash.
 */
export function beginSalvage(path: string): string | undefined {
  if (existsSync(salvaging(path)) && existsSync(path)) return undefined;
  if (existsSync(path)) renameSync(path, salvaging(path));
  if (existsSync(`${path}-wal`)) renameSync(`${path}-wal`, `${salvaging(path)}-wal`);
  rmSync(`${path}-shm`, { force: true });
  for (const suffix of ["", ...SIDE_FILES]) rmSync(`${fresh(path)}${suffix}`, { force: true });
  return fresh(path);
}

/** Fills the new file and puts it in place. `skip`: tables whose rows the new one has already. */
export function finishSalvage(path: string, nowMs: number, skip: readonly string[] = []): SalvageReport {
  const rows = existsSync(path) ? {} : refill(path, skip);
  const movedTo = `${path}.damaged-${new Date(nowMs).toISOString().replaceAll(":", "-")}`;
  for (const suffix of SIDE_FILES) {
    rmSync(`${fresh(path)}${suffix}`, { force: true });
    if (existsSync(`${salvaging(path)}${suffix}`)) renameSync(`${salvaging(path)}${suffix}`, `${movedTo}${suffix}`);
  }
  rmSync(fresh(path), { force: true });
  renameSync(salvaging(path), movedTo);
  removeOldest(path);
  syncFile(dirname(path));
  return { movedTo, rows };
}

function refill(path: string, skip: readonly string[]): Record<string, number> {
  const target = openDatabase(fresh(path));
  let rows: Record<string, number>;
  try {
    rows = withoutTriggers(target, () => copyAll(salvaging(path), target, skip));
  } finally {
    target.close();
  }
  syncFile(fresh(path));
  renameSync(fresh(path), path);
  syncFile(dirname(path));
  return rows;
}

/** Rows come over as they are: what happens at a write has happened to them. */
function withoutTriggers<T>(db: Database, work: () => T): T {
  const triggers = db.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").all();
  for (const { name } of triggers) db.exec(`DROP TRIGGER "${String(name)}"`);
  const done = work();
  for (const { sql } of triggers) db.exec(String(sql));
  return done;
}

function copyAll(from: string, target: Database, skip: readonly string[]): Record<string, number> {
  const rows: Record<string, number> = {};
  let source: Database | undefined;
  try {
    source = openToRead(from);
    for (const table of tablesOf(target)) {
      if (!skip.includes(table)) rows[table] = copyTable(table, source, target);
    }
    keepCounting(source, target);
  } catch (error) {
    if (!isUnreadable(error)) throw error;
  } finally {
    source?.close();
  }
  return rows;
}

function copyTable(table: string, source: Database, target: Database): number {
  const columns = columnsOf(table, target).filter((name) => columnsOf(table, source).includes(name));
  if (columns.length === 0) return 0;
  const names = columns.map((name) => `"${name}"`).join(", ");
  const marks = columns.map(() => "?").join(", ");
  const insert = target.prepare(`INSERT OR IGNORE INTO "${table}" (${names}) VALUES (${marks})`);
  const copy = (row: Row): number => {
    try {
      return Number(insert.run(...columns.map((name) => row[name] ?? null)).changes);
    } catch (error) {
      if (isRefusal(error)) return 0;
      throw error;
    }
  };
  let count = 0;
  inTransaction(target, () => {
    for (const row of readableRows(source, table, names)) count += copy(row);
  });
  return count;
}

/** The row's values are no longer of the kinds that its columns hold. */
function isRefusal(error: unknown): boolean {
  return error instanceof Error && /constraint failed|cannot store/i.test(error.message);
}

/** Numbers that were given once are not given again, also when their rows are gone. */
function keepCounting(source: Database, target: Database): void {
  if (columnsOf("sqlite_sequence", source).length === 0) return;
  const raise = target.prepare("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?");
  const insert = target.prepare("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)");
  const counted = new Set(tablesOf(target));
  for (const { name, seq } of readableRows(source, "sqlite_sequence", "name, seq")) {
    if (typeof name !== "string" || typeof seq !== "number" || !counted.has(name)) continue;
    if (Number(raise.run(seq, name).changes) === 0) insert.run(name, seq);
  }
}

function tablesOf(db: Database): string[] {
  const rows = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").all();
  return rows.map(({ name }) => String(name));
}

function columnsOf(table: string, db: Database): string[] {
  return db
    .prepare("SELECT name FROM pragma_table_info(?)")
    .all(table)
    .map(({ name }) => String(name));
}

function removeOldest(path: string): void {
  const folder = dirname(path);
  const names = readdirSync(folder).filter((name) => name.startsWith(`${basename(path)}.damaged-`));
  const whole = names.filter((name) => SIDE_FILES.every((suffix) => !name.endsWith(suffix))).toSorted();
  for (const old of whole.slice(0, -KEPT)) {
    for (const suffix of ["", ...SIDE_FILES]) rmSync(join(folder, `${old}${suffix}`), { force: true });
  }
}

function salvaging(path: string): string {
  return `${path}.salvaging`;
}

function fresh(path: string): string {
  return `${path}.fresh`;
}
