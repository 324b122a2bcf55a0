/**
 * Every row of a damaged table that can still be read: from the front until it breaks, from the back until it breaks,
 * and one by one in between.
 */
import { type Database, isUnreadable } from "./database.ts";

export type Row = Readonly<Record<string, string | number | bigint | Uint8Array | null>>;

/** Between the broken ends at most so many rows are looked for. */
const MOST_TRIES = 100_000;

/** `columns` as they stand in SQL. Rows come in no particular order, each once. */
export function* readableRows(db: Database, table: string, columns: string): Generator<Row> {
  const select = `SELECT rowid AS "#", ${columns} FROM "${table}"`;
  const front = yield* untilBroken(db, `${select} ORDER BY rowid`);
  if (front.whole) return;
  const back = yield* untilBroken(db, `${select} WHERE rowid > ${front.last ?? FIRST} ORDER BY rowid DESC`);
  if (back.whole || back.last === undefined) return;
  yield* oneByOne(db, `${select} WHERE rowid = ?`, (front.last ?? 0) + 1, back.last);
}

/** Smaller than any row's number; as text, since a JavaScript number cannot hold it. */
const FIRST = "-9223372036854775808";

interface Reading {
  readonly whole: boolean;
  /** The number of the last row that could be read. */
  readonly last: number | undefined;
}

function* untilBroken(db: Database, sql: string): Generator<Row, Reading> {
  let last: number | undefined;
  try {
    for (const row of db.prepare(sql).iterate()) {
      last = Number(row["#"]);
      yield row;
    }
    return { whole: true, last };
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    return { whole: false, last };
  }
}

function* oneByOne(db: Database, sql: string, from: number, to: number): Generator<Row> {
  for (let rowid = from; rowid < Math.min(to, from + MOST_TRIES); rowid += 1) {
    const row = readOne(db, sql, rowid);
    if (row !== undefined) yield row;
  }
}

function readOne(db: Database, sql: string, rowid: number): Row | undefined {
  try {
    return db.prepare(sql).get(rowid);
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    return undefined;
  }
}
