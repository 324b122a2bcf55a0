/**
 * The tables of the usage file, version by version; the rule for a new one stands in common/sqlite/versions.ts.
 *
 * 1: the chain, the intervals that are open, the seals.
 */
import type { Migration } from "../../common/sqlite/versions.ts";

const first: Migration = {
  up: (db) =>
    db.exec(`
      CREATE TABLE IF NOT EXISTS entries (
        seq INTEGER PRIMARY KEY,
        body TEXT NOT NULL,
        hash BLOB NOT NULL,
        pod TEXT AS (CASE WHEN json_valid(body) THEN json_extract(body, '$.podId') END),
        at INTEGER AS (CASE WHEN json_valid(body) THEN json_extract(body, '$.atMs') END)
      );
      CREATE INDEX IF NOT EXISTS entries_of_a_pod ON entries (pod, seq);
      CREATE TABLE IF NOT EXISTS open_intervals (pod TEXT PRIMARY KEY, body TEXT NOT NULL, body_sum INTEGER) STRICT;
      CREATE TABLE IF NOT EXISTS seals (what TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
    `),
  down: () => undefined,
};

export const USAGE_MIGRATIONS: readonly Migration[] = [first];
