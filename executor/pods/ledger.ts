/**
 * What this host promised, on disk: one row a pod, and the events that the agent has not acknowledged yet.
 *
 * Every write is durable when it returns (WAL, synchronous FULL). A row that cannot be read is set aside, never guessed
 * and never a reason to lose the others; the labels on the pod's container rebuild it.
 */
import { readKnown } from "../../common/lenient.ts";
import { checksum, isIntact } from "../../common/sqlite/checksum.ts";
import { type Database, inTransaction, openToRead } from "../../common/sqlite/database.ts";
import { type OpeningReport, openStored, stepStoredBack } from "../../common/sqlite/stored.ts";
import type { PodId } from "../../protocol/ids.ts";
import { PodEvent, PodStatus } from "../../protocol/pod.ts";
import { LEDGER_MIGRATIONS } from "./ledger-versions.ts";
import { PodRecord } from "./state.ts";

export interface LedgerEntry {
  readonly record: PodRecord;
  /** What was last told about the pod; undefined before the first time. */
  readonly status: PodStatus | undefined;
}

/** An event before the ledger gives it its cursor. */
export type NewEvent = Omit<PodEvent, "cursor">;

export interface Ledger {
  /** What had to be done to the file when it was opened. */
  readonly opening: OpeningReport;
  /** `damaged`: the pods whose rows cannot be read. */
  readAll(): { readonly entries: LedgerEntry[]; readonly damaged: readonly string[] };
  /** Moves a row that cannot be read out of the way, for somebody to look at. */
  setAside(podId: string): void;
  saveRecord(record: PodRecord): void;
  /** Stores the status and its events in one step, and returns the events with their cursors. */
  saveStatus(status: PodStatus, events: readonly NewEvent[]): PodEvent[];
  forget(podId: PodId): void;
  /** An event that cannot be read is set aside, and its cursor is left out. */
  eventsAfter(cursor: number, limit: number): PodEvent[];
  dropEventsUpTo(cursor: number): void;
  /** Lets no later event have a cursor up to this one: a ledger that was lost must not number from 1 again. */
  numberEventsAfter(cursor: number): void;
  /** Undefined also when the value is damaged. */
  getMeta(key: string): string | undefined;
  setMeta(key: string, value: string): void;
  close(): void;
}

/**
 * Opens the ledger, or makes it. `:memory:` gives one that forgets. Throws `state-too-new` when a program wrote it that is
 * more than one version ahead, and `disk-low` when there is no room to bring it to this version.
 */
export function openLedger(path: string): Ledger {
  const { db, report } = openStored(path, LEDGER_MIGRATIONS, Date.now());
  return ledgerOver(db, report);
}

/** The pods of a ledger that an executor may be writing to, whatever its version. Nothing is changed. */
export function readLedger(path: string): readonly LedgerEntry[] {
  const db = openToRead(path);
  try {
    return readAll(db).entries;
  } finally {
    db.close();
  }
}

/** The version of the ledger that this program writes. */
export const LEDGER_VERSION = LEDGER_MIGRATIONS.length;

/** Makes the ledger readable for the version before this one. Throws `already-exists` while an executor has it open. */
export function stepLedgerBack(path: string): void {
  stepStoredBack(path, LEDGER_MIGRATIONS);
}

function ledgerOver(db: Database, opening: OpeningReport): Ledger {
  const upsertRecord = db.prepare(
    `INSERT INTO pods (pod_id, record, record_sum) VALUES (?, ?, ?)
     ON CONFLICT (pod_id) DO UPDATE SET record = excluded.record, record_sum = excluded.record_sum`,
  );
  const updateStatus = db.prepare("UPDATE pods SET status = ?, status_sum = ? WHERE pod_id = ?");
  const insertEvent = db.prepare("INSERT INTO events (event, event_sum) VALUES (?, ?)");
  const upsertMeta = db.prepare(
    `INSERT INTO meta (key, value, value_sum) VALUES (?, ?, ?)
     ON CONFLICT (key) DO UPDATE SET value = excluded.value, value_sum = excluded.value_sum`,
  );
  return {
    opening,
    readAll: () => readAll(db),
    setAside: (podId) => setPodAside(db, podId),
    saveRecord: (record) => void upsertRecord.run(record.wanted.podId, ...summed(record)),
    saveStatus: (status, events) =>
      inTransaction(db, () => {
        updateStatus.run(...summed(status), status.podId);
        return events.map((event) => ({
          ...event,
          cursor: Number(insertEvent.run(...summed(event)).lastInsertRowid),
        }));
      }),
    forget: (podId) => void db.prepare("DELETE FROM pods WHERE pod_id = ?").run(podId),
    eventsAfter: (cursor, limit) => eventsAfter(db, cursor, limit),
    dropEventsUpTo: (cursor) => void db.prepare("DELETE FROM events WHERE cursor <= ?").run(cursor),
    numberEventsAfter: (cursor) =>
      inTransaction(db, () => {
        const last = Number(db.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'events'").get()?.["seq"] ?? 0);
        if (last >= cursor) return;
        db.prepare("DELETE FROM sqlite_sequence WHERE name = 'events'").run();
        db.prepare("INSERT INTO sqlite_sequence (name, seq) VALUES ('events', ?)").run(cursor);
      }),
    getMeta: (key) => {
      const row = db.prepare("SELECT value, value_sum FROM meta WHERE key = ?").get(key);
      return row === undefined ? undefined : intact(row["value"], row["value_sum"]);
    },
    setMeta: (key, value) => void upsertMeta.run(key, value, checksum(value)),
    close: () => db.close(),
  };
}

function readAll(db: Database): { entries: LedgerEntry[]; damaged: string[] } {
  const entries: LedgerEntry[] = [];
  const damaged: string[] = [];
  for (const row of db.prepare("SELECT * FROM pods").all()) {
    const podId = String(row["pod_id"]);
    const record = readKnown(PodRecord, intact(row["record"], row["record_sum"]));
    if (record === undefined || record.wanted.podId !== podId) damaged.push(podId);
    else entries.push({ record, status: readKnown(PodStatus, intact(row["status"], row["status_sum"])) });
  }
  return { entries, damaged };
}

function setPodAside(db: Database, podId: string): void {
  inTransaction(db, () => {
    db.prepare(
      "INSERT INTO damaged_pods SELECT pod_id, record, status, datetime('now') FROM pods WHERE pod_id = ?",
    ).run(podId);
    db.prepare("DELETE FROM pods WHERE pod_id = ?").run(podId);
  });
}

function eventsAfter(db: Database, after: number, limit: number): PodEvent[] {
  const select = db.prepare("SELECT cursor, event, event_sum FROM events WHERE cursor > ? ORDER BY cursor LIMIT ?");
  const events: PodEvent[] = [];
  for (let last = after; events.length < limit;) {
    const rows = select.all(last, limit - events.length);
    for (const row of rows) {
      last = Number(row["cursor"]);
      const event = readKnown(StoredEvent, intact(row["event"], row["event_sum"]));
      if (event === undefined) setEventAside(db, last);
      else events.push({ ...event, cursor: last });
    }
    if (rows.length === 0) break;
  }
  return events;
}

const StoredEvent = PodEvent.omit({ cursor: true });

function setEventAside(db: Database, cursor: number): void {
  inTransaction(db, () => {
    db.prepare(
      "INSERT INTO damaged_rows SELECT 'events', cursor, event, datetime('now') FROM events WHERE cursor = ?",
    ).run(cursor);
    db.prepare("DELETE FROM events WHERE cursor = ?").run(cursor);
  });
}

function summed(value: object): [text: string, sum: number] {
  const text = JSON.stringify(value);
  return [text, checksum(text)];
}

function intact(text: unknown, sum: unknown): string | undefined {
  return typeof text === "string" && isIntact(text, sum) ? text : undefined;
}
