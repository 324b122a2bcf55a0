/**
 * A process to be killed while it works on a ledger: it writes, migrates to and fro, or salvages, for ever, and says on
 * stdout what was promised to be durable. Arguments: the ledger's path, and `write`, `migrate` or `salvage`.
 */
import { closeSync, openSync, writeSync } from "node:fs";

import { openLedger, stepLedgerBack } from "../../executor/pods/ledger.ts";
import type { PodStatus } from "../../protocol/pod.ts";
import { podId, podRecord, T0, wantedPod } from "./builders.ts";

const [path = "", mode = ""] = process.argv.slice(2);

/** How many pods take turns. */
const PODS = 7;
const AT = new Date(T0).toISOString();

function say(line: string): void {
  writeSync(1, `${line}\n`);
}

function write(): void {
  const ledger = openLedger(path);
  const before = ledger.readAll().entries.map(({ record }) => record.wanted.revision);
  for (let revision = Math.max(0, ...before) + 1; ; revision += 1) {
    const id = podId(revision % PODS);
    ledger.saveRecord(podRecord({ wanted: wantedPod({ podId: id, revision }) }));
    say(`record ${id} ${revision}`);
    const event = { podId: id, at: AT, code: "running", message: `${revision}`, fault: "none" } as const;
    const [stored] = ledger.saveStatus(statusOf(id, revision), [event]);
    say(`event ${stored?.cursor ?? 0} ${revision}`);
  }
}

function statusOf(id: PodStatus["podId"], revision: number): PodStatus {
  return { podId: id, revision, phase: "running", since: AT, gpus: [], ports: [], timelineMs: {} };
}

function migrate(): void {
  for (;;) {
    openLedger(path).close();
    say("forward");
    stepLedgerBack(path);
    say("back");
  }
}

function salvage(): void {
  for (;;) {
    openLedger(path).close();
    say("salvaged");
    const file = openSync(path, "r+");
    // The file's first page says where everything is; a wrong freelist costs no row and must be found.
    writeSync(file, Uint8Array.of(0, 0, 0, 99), 0, 4, 32);
    closeSync(file);
  }
}

if (mode === "write") write();
else if (mode === "migrate") migrate();
else salvage();
