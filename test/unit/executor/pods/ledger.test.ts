/** The ledger keeps what was promised, and one damaged row costs no other. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { type Ledger, openLedger } from "../../../../executor/pods/ledger.ts";
import { eventsBetween, statusOf } from "../../../../executor/pods/status.ts";
import type { PodStatus } from "../../../../protocol/pod.ts";
import { podId, podRecord, T0, wantedPod } from "../../../support/builders.ts";

let dir: string;
let ledger: Ledger;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "lium-ledger-"));
  ledger = openLedger(join(dir, "ledger.db"));
});
afterEach(() => {
  ledger.close();
  rmSync(dir, { recursive: true });
});

function reopen(): void {
  ledger.close();
  ledger = openLedger(join(dir, "ledger.db"));
}

function statusFor(n: number): PodStatus {
  return statusOf({
    record: podRecord({ wanted: wantedPod({ podId: podId(n) }) }),
    seen: undefined,
    ssh: undefined,
    nowMs: T0,
    previous: undefined,
    trouble: undefined,
    pull: undefined,
    publicAddress: "203.0.113.1",
    ranges: [],
    sshPort: 7022,
    restart: { firstDelayMs: 5_000, maxDelayMs: 300_000 },
  });
}

describe("the ledger", () => {
  it("gives back every record and status after it was opened again", () => {
    const record = podRecord();
    ledger.saveRecord(record);
    ledger.saveStatus(statusFor(1), []);

    reopen();

    expect(ledger.readAll()).toEqual({ entries: [{ record, status: statusFor(1) }], damaged: [] });
  });

  it("sets a damaged record aside and keeps the others", () => {
    for (const n of [1, 2, 3]) ledger.saveRecord(podRecord({ wanted: wantedPod({ podId: podId(n) }) }));
    const db = new DatabaseSync(join(dir, "ledger.db"));
    db.prepare("UPDATE pods SET record = substr(record, 1, 40) WHERE pod_id = ?").run(podId(2));

    reopen();
    const first = ledger.readAll();

    expect(ledger.readAll(), "reading changes nothing").toEqual(first);
    for (const id of first.damaged) ledger.setAside(id);

    expect(first.damaged).toEqual([podId(2)]);
    expect(first.entries.map(({ record }) => record.wanted.podId)).toEqual([podId(1), podId(3)]);
    expect(ledger.readAll().damaged).toEqual([]);
    expect(db.prepare("SELECT pod_id FROM damaged_pods").all()).toEqual([{ pod_id: podId(2) }]);
    db.close();
  });

  it("numbers events without gaps or repeats, also after they were acknowledged", () => {
    ledger.saveRecord(podRecord());
    const [event] = eventsBetween(undefined, { ...statusFor(1), phase: "running" }, T0);
    const save = (): number[] =>
      ledger.saveStatus(statusFor(1), event === undefined ? [] : [event]).map(({ cursor }) => cursor);

    const first = [...save(), ...save()];
    ledger.dropEventsUpTo(2);
    reopen();

    expect(first).toEqual([1, 2]);
    expect(ledger.eventsAfter(0, 10)).toEqual([]);
    expect(save()).toEqual([3]);
    expect(ledger.eventsAfter(2, 10)).toMatchObject([{ cursor: 3, code: "running", podId: podId(1) }]);
  });

  it("goes on numbering after what the agent has seen, so that a lost ledger hides no event", () => {
    ledger.saveRecord(podRecord());
    const [event] = eventsBetween(undefined, { ...statusFor(1), phase: "running" }, T0);
    const save = (): number[] =>
      ledger.saveStatus(statusFor(1), event === undefined ? [] : [event]).map(({ cursor }) => cursor);

    ledger.numberEventsAfter(41);
    const first = save();
    ledger.numberEventsAfter(7);

    expect([...first, ...save()]).toEqual([42, 43]);
  });

  it("forgets a pod when told to", () => {
    ledger.saveRecord(podRecord());

    ledger.forget(podId(1));

    expect(ledger.readAll().entries).toEqual([]);
  });
});
