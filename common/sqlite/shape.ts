/**
 * What a database consists of, so that damage in the description of its tables is found: SQLite believes whatever it reads there.
 */
import { closeSync, openSync, readSync } from "node:fs";

import type { Database } from "./database.ts";

/** Tables with their columns, indexes and triggers, one line each. */
export type Shape = ReadonlySet<string>;

export function shapeOf(db: Database): Shape {
  const parts = db
    .prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'")
    .all()
    .flatMap(({ type, name, tbl_name, sql }) =>
      type === "table" ? columnsOf(db, String(name)) : [lineOf(type, name, tbl_name, sql)],
    );
  return new Set(parts);
}

/** Whether everything of `expected` is there. A newer version may have added to it. */
export function includesAll(actual: Shape, expected: Shape): boolean {
  return [...expected].every((part) => actual.has(part));
}

function columnsOf(db: Database, table: string): string[] {
  return db
    .prepare(`SELECT name, type, "notnull", pk FROM pragma_table_xinfo(?)`)
    .all(table)
    .map(({ name, type, notnull, pk }) => lineOf(table, name, type, notnull, pk));
}

function lineOf(...parts: readonly unknown[]): string {
  return parts.map(String).join(" ");
}

const MAGIC = "SQLite format 3\0";
/** Rollback journal or write-ahead log; anything else makes SQLite read the file and never write it. */
const FORMATS: readonly (number | undefined)[] = [1, 2];

/** Whether the file begins as one that can be written must begin. */
export function hasUsableHeader(path: string): boolean {
  const head = Buffer.alloc(20);
  const file = openSync(path, "r");
  try {
    readSync(file, head, 0, head.length, 0);
  } finally {
    closeSync(file);
  }
  return head.toString("latin1", 0, MAGIC.length) === MAGIC && FORMATS.includes(head[18]) && FORMATS.includes(head[19]);
}
