/**
 * What this host promised, on disk: one row a pod, and the events that the agent has not acknowledged yet.
 *
 * Every write is durable when it returns (WAL, synchronous FULL). A row that cannot be read is set aside, never guessed
 * and never a reason to lose the others; the labels on the pod's container rebuild it.
 */
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";

import type { PodId } from "../../protocol/ids.ts";
import { PodEvent, PodStatus } from "../../protocol/pod.ts";
import { PodRecord } from "./state.ts";

export interface LedgerEntry {
  readonly record: PodRecord;
  /** What was last told about the pod; undefined before the first time. */
  readonly status: PodStatus | undefined;
}

/** An event before the ledger gives it its cursor. */
export type NewEvent = Omit<PodEvent, "cursor">;

export interface Ledger {
  /** `damaged`: the pods whose rows cannot be read. */
  readAll(): { readonly entries: LedgerEntry[]; readonly damaged: readonly string[] };
  /** Moves a row that cannot be read out of the way, for somebody to look at. */
  setAside(podId: string): void;
  saveRecord(record: PodRecord): void;
  /** Stores the status and its events in one step, and returns the events with their cursors. */
  saveStatus(status: PodStatus, events: readonly NewEvent[]): PodEvent[];
  forget(podId: PodId): void;
  eventsAfter(cursor: number, limit: number): PodEvent[];
  dropEventsUpTo(cursor: number): void;
  /** Lets no later event have a cursor up to this one: a ledger that was lost must not number from 1 again. */
  numberEventsAfter(cursor: number): void;
  getMeta(key: string): string | undefined;
  setMeta(key: string, value: string): void;
  close(): void;
}

const SCHEMA_VERSION = 1;
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS pods (pod_id TEXT PRIMARY KEY, record TEXT NOT NULL, status TEXT) STRICT;
  CREATE TABLE IF NOT EXISTS damaged_pods (pod_id TEXT, record TEXT, status TEXT, set_aside_at TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS events (cursor INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
`;

/** Opens the ledger, or makes it. `:memory:` gives one that forgets. */
export function openLedger(path: string): Ledger {
  if (path !== ":memory:") mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const db = new DatabaseSync(path);
  db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 2000;");
  db.exec(SCHEMA);
  db.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
  return ledgerOver(db);
}

function ledgerOver(db: DatabaseSync): Ledger {
  const upsertRecord = db.prepare(
    "INSERT INTO pods (pod_id, record) VALUES (?, ?) ON CONFLICT (pod_id) DO UPDATE SET record = excluded.record",
  );
  const updateStatus = db.prepare("UPDATE pods SET status = ? WHERE pod_id = ?");
  const insertEvent = db.prepare("INSERT INTO events (event) VALUES (?)");
  const selectEvents = db.prepare("SELECT cursor, event FROM events WHERE cursor > ? ORDER BY cursor LIMIT ?");
  return {
    readAll: () => readAll(db),
    setAside: (podId) =>
      inTransaction(db, () => {
        db.prepare(
          "INSERT INTO damaged_pods SELECT pod_id, record, status, datetime('now') FROM pods WHERE pod_id = ?",
        ).run(podId);
        db.prepare("DELETE FROM pods WHERE pod_id = ?").run(podId);
      }),
    saveRecord: (record) => void upsertRecord.run(record.wanted.podId, JSON.stringify(record)),
    saveStatus: (status, events) =>
      inTransaction(db, () => {
        updateStatus.run(JSON.stringify(status), status.podId);
        return events.map((event) => ({
          ...event,
          cursor: Number(insertEvent.run(JSON.stringify(event)).lastInsertRowid),
        }));
      }),
    forget: (podId) => void db.prepare("DELETE FROM pods WHERE pod_id = ?").run(podId),
    eventsAfter: (cursor, limit) =>
      selectEvents
        .all(cursor, limit)
        .map((row) => PodEvent.parse({ ...JSON.parse(String(row["event"])), cursor: row["cursor"] })),
    dropEventsUpTo: (cursor) => void db.prepare("DELETE FROM events WHERE cursor <= ?").run(cursor),
    numberEventsAfter: (cursor) =>
      inTransaction(db, () => {
        const last = Number(db.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'events'").get()?.["seq"] ?? 0);
        if (last >= cursor) return;
        db.prepare("DELETE FROM sqlite_sequence WHERE name = 'events'").run();
        db.prepare("INSERT INTO sqlite_sequence (name, seq) VALUES ('events', ?)").run(cursor);
      }),
    getMeta: (key) => {
      const row = db.prepare("SELECT value FROM meta WHERE key = ?").get(key);
      return row === undefined ? undefined : String(row["value"]);
    },
    setMeta: (key, value) =>
      void db
        .prepare("INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value")
        .run(key, value),
    close: () => db.close(),
  };
}

function readAll(db: DatabaseSync): { entries: LedgerEntry[]; damaged: string[] } {
  const entries: LedgerEntry[] = [];
  const damaged: string[] = [];
  for (const row of db.prepare("SELECT pod_id, record, status FROM pods").all()) {
    const podId = String(row["pod_id"]);
    const record = parsed(PodRecord, row["record"]);
    if (record === undefined || record.wanted.podId !== podId) damaged.push(podId);
    else entries.push({ record, status: parsed(PodStatus, row["status"]) });
  }
  return { entries, damaged };
}

function parsed<T>(schema: { parse(value: unknown): T }, text: unknown): T | undefined {
  if (typeof text !== "string") return undefined;
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function inTransaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    db.exec("COMMIT");
    return result;
  } catch (error) {
    db.exec("ROLLBACK");
    throw error;
  }
}
