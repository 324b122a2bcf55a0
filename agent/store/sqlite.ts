/**
 * The agent's store in one SQLite file, by node:sqlite. A write is on the disk when it returns (WAL, synchronous FULL).
 */
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";

import { Kysely, type SqliteDatabase, SqliteDialect, type SqliteStatement } from "kysely";

import { KyselyStore } from "./kysely-store.ts";
import { migrate } from "./migrations.ts";
import type { Tables } from "./schema.ts";
import type { Store } from "./store.ts";

/** Opens the file, or makes it, and brings it to the newest schema. Throws `config-invalid` when that cannot be. */
export async function openSqliteStore(path: string): Promise<Store> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const file = new DatabaseSync(path);
  file.exec("PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
  const db = new Kysely<Tables>({ dialect: new SqliteDialect({ database: asKyselyExpects(file) }) });
  try {
    await migrate(db);
  } catch (error) {
    await db.destroy();
    throw error;
  }
  return new KyselyStore(db);
}

/** Kysely expects the shape of better-sqlite3. Statements are kept: their texts are few, and compiling them costs more than running. */
function asKyselyExpects(file: DatabaseSync): SqliteDatabase {
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
