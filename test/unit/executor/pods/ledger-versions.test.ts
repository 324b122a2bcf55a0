/** The ledger goes forward from any version, one step back for the program before, and no program touches what it cannot read. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { openLedger, readLedger, stepLedgerBack } from "../../../../executor/pods/ledger.ts";
import type { PodRecord } from "../../../../executor/pods/state.ts";
import type { PodStatus } from "../../../../protocol/pod.ts";
import { podId, podRecord, podSpec, T0, wantedPod } from "../../../support/builders.ts";
import { readLedgerV1, saveRecordV1, withLedgerV1 } from "../../../support/state-v1.ts";

const AT = new Date(T0).toISOString();
const EVENT = { podId: podId(1), at: AT, code: "running", message: "A renter can log in.", fault: "none" } as const;

let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "lium-versions-"));
  path = join(dir, "ledger.db");
});
afterEach(() => rmSync(dir, { recursive: true }));

/** What version 1 could write, without what came later. */
function oldRecord(n: number) {
  const { restart: _, ...spec } = podSpec();
  return {
    ...podRecord({ wanted: wantedPod({ podId: podId(n) }) }),
    wanted: { ...wantedPod({ podId: podId(n) }), spec },
  };
}

/** With everything that version 1 knew nothing of. */
function newRecord(): PodRecord {
  return podRecord({
    lastStart: { run: 1, startedAtMs: T0 },
    network: { name: "lium-net-10-213-0-8", subnet: "10.213.0.8/29", bridge: "lium0ad50008" },
    lastExit: { finishedAtMs: T0, run: 1, tries: 2, cause: "exit code 3", fault: "renter", log: ["line"] },
    healedStartMs: T0,
  });
}

const STATUS: PodStatus = {
  podId: podId(1),
  revision: 1,
  phase: "exited",
  since: AT,
  gpus: [],
  ports: [],
  exit: { code: 3, oomKilled: false, at: AT, cause: "exit code 3", tries: 2, nextTryAt: AT, log: ["line"] },
  unbilledSince: AT,
  timelineMs: { started: 12.5 },
};

function withFile<T>(work: (db: DatabaseSync) => T): T {
  const db = new DatabaseSync(path);
  try {
    return work(db);
  } finally {
    db.close();
  }
}

function files(part: string): string[] {
  return readdirSync(dir).filter((name) => name.includes(part));
}

describe("a ledger of version 1", () => {
  it("is read whole, and a copy of it is kept beside", () => {
    withLedgerV1(path, (db) => {
      for (const n of [1, 2]) saveRecordV1(db, oldRecord(n));
      db.prepare("INSERT INTO events (event) VALUES (?)").run(JSON.stringify(EVENT));
      db.exec("INSERT INTO meta (key, value) VALUES ('boot-id', 'b')");
    });

    const ledger = openLedger(path);

    expect(ledger.readAll().entries.map(({ record }) => record.wanted.podId)).toEqual([podId(1), podId(2)]);
    expect(ledger.readAll().damaged).toEqual([]);
    expect(ledger.eventsAfter(0, 9)).toEqual([{ ...EVENT, cursor: 1 }]);
    expect(ledger.getMeta("boot-id")).toBe("b");
    expect(ledger.opening.migrated).toEqual({ from: 1, to: 2, backup: `${path}.before-v2` });
    ledger.close();
    expect(readLedgerV1(`${path}.before-v2`).records).toHaveLength(2);
    openLedger(path).close();
    expect(files("before-v")).toEqual(["ledger.db.before-v2"]);
  });

  it("is as it was when the way forward fails halfway", () => {
    withLedgerV1(path, (db) => {
      saveRecordV1(db, oldRecord(1));
      db.exec("CREATE TABLE damaged_rows (in_the_way TEXT)");
    });

    expect(() => openLedger(path)).toThrow("already exists");

    expect(readLedgerV1(path).records).toHaveLength(1);
    expect(withFile((db) => db.prepare("PRAGMA table_info(pods)").all())).toHaveLength(3);
  });
});

describe("a ledger of this version", () => {
  it("is read whole by version 1 after the step back, and again by this one after that", () => {
    const ledger = openLedger(path);
    ledger.saveRecord(newRecord());
    ledger.saveStatus(STATUS, [EVENT]);
    ledger.setMeta("boot-id", "b");
    ledger.close();

    stepLedgerBack(path);
    const seen = readLedgerV1(path);

    expect(seen.records).toMatchObject([{ wanted: { podId: podId(1) }, lastStart: { run: 1 } }]);
    expect(seen.statuses).toMatchObject([{ phase: "exited", exit: { code: 3 } }]);
    expect(seen).toMatchObject({ events: [{ ...EVENT, cursor: 1 }], bootId: "b" });

    withLedgerV1(path, (db) => saveRecordV1(db, Object.assign(oldRecord(1), { overAt: AT })));
    const again = openLedger(path);
    expect(again.readAll()).toMatchObject({ entries: [{ record: { overAt: AT } }], damaged: [] });
    again.close();
  });

  it("may be written by version 1 although nobody took the step back: its texts have no checksum then", () => {
    const ledger = openLedger(path);
    ledger.saveRecord(podRecord());
    ledger.setMeta("boot-id", "b");
    ledger.close();
    withLedgerV1(path, (db) => {
      saveRecordV1(db, Object.assign(oldRecord(1), { overAt: AT }));
      db.exec("UPDATE meta SET value = 'c'");
    });

    const again = openLedger(path);

    expect(again.readAll()).toMatchObject({ entries: [{ record: { overAt: AT } }], damaged: [] });
    expect(again.getMeta("boot-id")).toBe("c");
    again.close();
  });

  it("takes no step back under a program that has it open", () => {
    const ledger = openLedger(path);

    expect(() => stepLedgerBack(path)).toThrow(expect.objectContaining({ code: "already-exists" }));
    ledger.saveRecord(podRecord());
    ledger.close();
    stepLedgerBack(path);
  });

  it("takes no second step back", () => {
    openLedger(path).close();
    stepLedgerBack(path);

    expect(() => stepLedgerBack(path)).toThrow("no step back");
  });

  it("finds a text in which one letter changed, in records, statuses, events and values", () => {
    const ledger = openLedger(path);
    ledger.saveRecord(podRecord());
    ledger.saveStatus({ ...STATUS, phase: "running" }, [EVENT, { ...EVENT, code: "degraded" }]);
    ledger.setMeta("boot-id", "boot-1");
    const change = (table: string, column: string, from: string, to: string): void =>
      withFile((db) =>
        db.exec(`
          CREATE TEMP TABLE sums AS SELECT rowid AS id, ${column}_sum AS s FROM ${table};
          UPDATE ${table} SET ${column} = replace(${column}, '${from}', '${to}');
          UPDATE ${table} SET ${column}_sum = (SELECT s FROM sums WHERE id = ${table}.rowid)`),
      );

    change("pods", "status", '"revision":1', '"revision":3');
    expect(ledger.readAll()).toMatchObject({ entries: [{ status: undefined }], damaged: [] });
    change("pods", "record", '"cpus":1', '"cpus":3');
    expect(ledger.readAll()).toEqual({ entries: [], damaged: [podId(1)] });
    change("meta", "value", "boot-1", "boot-2");
    expect(ledger.getMeta("boot-id")).toBeUndefined();
    change("events", "event", '"code":"running"', '"code":"runninG"');
    expect(ledger.eventsAfter(0, 1)).toMatchObject([{ cursor: 2, code: "degraded" }]);
    expect(withFile((db) => db.prepare("SELECT origin, key FROM damaged_rows").all())).toEqual([
      { origin: "events", key: "1" },
    ]);
    ledger.close();
  });
});

describe("a ledger that a newer program wrote", () => {
  function writeNewer(version: number): void {
    const ledger = openLedger(path);
    ledger.saveRecord(podRecord());
    ledger.close();
    withFile((db) => {
      db.exec(`PRAGMA user_version = ${version}; PRAGMA application_id = ${0x4c500000 + version}`);
      db.exec("ALTER TABLE pods ADD COLUMN later TEXT; CREATE TABLE later (x TEXT)");
      const record = { ...newRecord(), later: 1, wanted: { ...wantedPod(), later: { deep: true } } };
      db.prepare("UPDATE pods SET record = ?, record_sum = -1").run(JSON.stringify(record));
    });
  }

  it("is used as it is when it is one version ahead; fields that nobody here knows are left out", () => {
    writeNewer(3);

    const ledger = openLedger(path);
    expect(ledger.readAll()).toEqual({ entries: [{ record: newRecord(), status: undefined }], damaged: [] });
    ledger.saveRecord(podRecord({ overAt: AT }));
    ledger.close();

    expect(withFile((db) => db.prepare("PRAGMA user_version").get())).toEqual({ user_version: 3 });
    expect(readLedger(path)).toMatchObject([{ record: { overAt: AT } }]);
  });

  it("is refused when it is two ahead, and not a byte of it changes", () => {
    writeNewer(4);
    const before = readFileSync(path);

    expect(() => openLedger(path)).toThrow(expect.objectContaining({ code: "state-too-new" }));

    expect(readFileSync(path)).toEqual(before);
    expect(files("damaged-")).toEqual([]);
  });
});
