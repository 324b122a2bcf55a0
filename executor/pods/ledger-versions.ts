/**
 * The tables of the ledger, version by version; the rule for a new one stands in common/sqlite/versions.ts.
 *
 * 1: one row a pod, events, named values.
 * 2: a checksum beside every text, so that a flipped bit is damage and not another promise; a place for damaged rows.
 */
import { type Fields, keepKnown } from "../../common/known-fields.ts";
import { NO_SUM } from "../../common/sqlite/checksum.ts";
import type { Database } from "../../common/sqlite/database.ts";
import type { Migration } from "../../common/sqlite/versions.ts";
import { POD_EVENT_V1, POD_RECORD_V1, POD_STATUS_V1 } from "../../protocol/fields-v1.ts";

/** Every text that has a checksum: its table, its key and itself. */
const SUMMED = [
  { table: "pods", column: "record" },
  { table: "pods", column: "status" },
  { table: "events", column: "event" },
  { table: "meta", column: "value" },
] as const;

const first: Migration = {
  up: (db) =>
    db.exec(`
      CREATE TABLE IF NOT EXISTS pods (pod_id TEXT PRIMARY KEY, record TEXT NOT NULL, status TEXT) STRICT;
      CREATE TABLE IF NOT EXISTS damaged_pods
        (pod_id TEXT, record TEXT, status TEXT, set_aside_at TEXT NOT NULL) STRICT;
      CREATE TABLE IF NOT EXISTS events (cursor INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL) STRICT;
      CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
    `),
  down: () => undefined,
};

const checksums: Migration = {
  up: (db) => {
    for (const { table, column } of SUMMED) {
      db.exec(`ALTER TABLE ${table} ADD COLUMN ${column}_sum INTEGER`);
      // A program that knows no checksums may write here too; its text is marked as having none then, instead of a wrong one.
      const mark = `UPDATE ${table} SET ${column}_sum = ${NO_SUM}`;
      db.exec(`
        ${mark} WHERE ${column} IS NOT NULL;
        CREATE TRIGGER ${table}_${column}_without_sum AFTER UPDATE OF ${column} ON ${table}
        WHEN new.${column} IS NOT old.${column} AND new.${column}_sum IS old.${column}_sum
        BEGIN ${mark} WHERE rowid = new.rowid; END;
        CREATE TRIGGER ${table}_${column}_new_without_sum AFTER INSERT ON ${table}
        WHEN new.${column} IS NOT NULL AND new.${column}_sum IS NULL
        BEGIN ${mark} WHERE rowid = new.rowid; END`);
    }
    db.exec("CREATE TABLE damaged_rows (origin TEXT, key TEXT, content TEXT, set_aside_at TEXT NOT NULL) STRICT");
  },
  down: (db) => {
    for (const { table, column } of SUMMED) {
      db.exec(`
        DROP TRIGGER ${table}_${column}_without_sum;
        DROP TRIGGER ${table}_${column}_new_without_sum;
        ALTER TABLE ${table} DROP COLUMN ${column}_sum`);
    }
    db.exec("DROP TABLE damaged_rows");
    cutDown(db, { table: "pods", column: "record", fields: POD_RECORD_V1 });
    cutDown(db, { table: "pods", column: "status", fields: POD_STATUS_V1 });
    cutDown(db, { table: "events", column: "event", fields: POD_EVENT_V1 });
  },
};

export const LEDGER_MIGRATIONS: readonly Migration[] = [first, checksums];

interface Texts {
  readonly table: string;
  readonly column: string;
  readonly fields: Fields;
}

/** Leaves out what version 1 did not know; what is no JSON stays for that version to set aside. */
function cutDown(db: Database, { table, column, fields }: Texts): void {
  const update = db.prepare(`UPDATE ${table} SET ${column} = ? WHERE rowid = ?`);
  const rows = db.prepare(`SELECT rowid AS id, ${column} AS text FROM ${table} WHERE json_valid(${column})`).all();
  for (const { id, text } of rows) {
    update.run(JSON.stringify(keepKnown(fields, JSON.parse(String(text)))), Number(id));
  }
}
