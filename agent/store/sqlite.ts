/**
 * The agent's store in one SQLite file, by node:sqlite. A write is on the disk when it returns (WAL, synchronous FULL).
 * A file that is damaged is salvaged row by row, one that is older is backed up before it is changed.
 */
import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import type { SQLInputValue, StatementSync } from "node:sqlite";

import { Kysely, type SqliteDatabase, SqliteDialect, type SqliteStatement } from "kysely";

import { backUp } from "../../common/sqlite/backup.ts";
import { type Database, isUnreadable, openAlone, openDatabase, openToRead } from "../../common/sqlite/database.ts";
import { beginSalvage, finishSalvage, needsSalvage, type SalvageReport } from "../../common/sqlite/salvage.ts";
import { type Shape, shapeOf } from "../../common/sqlite/shape.ts";
import type { OpeningReport } from "../../common/sqlite/stored.ts";
import { KyselyStore } from "./kysely-store.ts";
import { isBehind, migrate, migrateBack, stepsAhead } from "./migrations.ts";
import type { Tables } from "./schema.ts";

/** Which steps a file has had is not salvaged: the new one has had them all. */
const MIGRATION_TABLES = ["kysely_migration", "kysely_migration_lock"];

/**
 * Opens the file, or makes it, and brings it to the newest schema. Throws `state-too-new` when a program wrote it that is
 * more than one step ahead, and `disk-low` when there is no room for a backup before a change.
 */
export async function openSqliteStore(path: string): Promise<KyselyStore> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  stepsAhead(stepsOf(path));
  const shape = await newestShape();
  const expected = (): Shape | undefined => (isBehind(stepsOf(path)) ? undefined : shape);
  const salvage = path !== ":memory:" && needsSalvage(path, expected) ? await salvageFile(path) : undefined;
  const executed = stepsOf(path);
  const file = openDatabase(path);
  const db = kyselyOver(file);
  try {
    const backup = executed.length > 0 && isBehind(executed) ? backUp(file, path, executed.length + 1) : undefined;
    await inOneStep(file, () => migrate(db, executed));
    return new KyselyStore(db, openingOf(salvage, backup, executed.length));
  } catch (error) {
    await db.destroy();
    throw error;
  }
}

/** Makes the file readable for the version before this one. Throws `already-exists` while an agent has it open. */
export async function stepStoreBack(path: string): Promise<void> {
  const executed = stepsOf(path);
  const file = openAlone(path);
  const db = kyselyOver(file);
  try {
    backUp(file, path, executed.length - 1);
    await inOneStep(file, () => migrateBack(db, executed));
  } finally {
    await db.destroy();
  }
}

function openingOf(salvage: SalvageReport | undefined, backup: string | undefined, from: number): OpeningReport {
  return {
    ...(salvage === undefined ? {} : { salvage }),
    ...(backup === undefined ? {} : { migrated: { from, to: from + 1, backup } }),
  };
}

async function newestShape(): Promise<Shape> {
  const file = openDatabase(":memory:");
  const db = kyselyOver(file);
  try {
    await migrate(db, []);
    return shapeOf(file);
  } finally {
    await db.destroy();
  }
}

async function salvageFile(path: string): Promise<SalvageReport> {
  const fresh = beginSalvage(path);
  if (fresh !== undefined) {
    const db = kyselyOver(openDatabase(fresh));
    try {
      await migrate(db, []);
    } finally {
      await db.destroy();
    }
  }
  return finishSalvage(path, Date.now(), MIGRATION_TABLES);
}

/** The migrations that the file has had, looked up without changing it; none where that cannot be read. */
function stepsOf(path: string): string[] {
  if (!existsSync(path) || statSync(path).size === 0) return [];
  let file: Database | undefined;
  try {
    file = openToRead(path);
    const isThere = file.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'kysely_migration'").get() !== undefined;
    const rows = isThere ? file.prepare("SELECT name FROM kysely_migration ORDER BY name").all() : [];
    return rows.map(({ name }) => String(name));
  } catch (error) {
    if (isUnreadable(error)) return [];
    throw error;
  } finally {
    file?.close();
  }
}

/** Kysely takes each statement of a migration for itself; here they are one. */
async function inOneStep(file: Database, work: () => Promise<void>): Promise<void> {
  file.exec("BEGIN IMMEDIATE");
  try {
    await work();
    file.exec("COMMIT");
  } catch (error) {
    if (file.isTransaction) file.exec("ROLLBACK");
    throw error;
  }
}

function kyselyOver(file: Database): Kysely<Tables> {
  return new Kysely<Tables>({ dialect: new SqliteDialect({ database: asKyselyExpects(file) }) });
}

/** Kysely expects the shape of better-sqlite3. Statements are kept: their texts are few, and compiling them costs more than running. */
function asKyselyExpects(file: Database): SqliteDatabase {
  const statements = new Map<string, SqliteStatement>();
  return {
    close: () => file.close(),
    prepare: (text) => {
      const known = statements.get(text);
      if (known !== undefined) return known;
      const made = statementOf(file.prepare(text));
      statements.set(text, made);
      return made;
    },
  };
}

function statementOf(statement: StatementSync): SqliteStatement {
  return {
    reader: statement.columns().length > 0,
    all: (parameters) => statement.all(...values(parameters)),
    run: (parameters) => statement.run(...values(parameters)),
    iterate: (parameters) => statement.iterate(...values(parameters)),
  };
}

function values(parameters: readonly unknown[]): SQLInputValue[] {
  return parameters.map((value) => {
    if (value === null || typeof value === "string" || typeof value === "number" || typeof value === "bigint") {
      return value;
    }
    throw new TypeError(`SQLite cannot hold a value of type ${typeof value}`);
  });
}
