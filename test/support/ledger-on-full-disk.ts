/**
 * A process on a small disk of its own: it has a ledger of version 1, fills the disk, opens the ledger, makes room, opens it
 * again, and prints what came of it as JSON. Argument: the folder where the disk is mounted.
 */
import { readdirSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { openLedger } from "../../executor/pods/ledger.ts";
import { toAppError } from "../../protocol/errors.ts";
import { podId, podRecord, podSpec, wantedPod } from "./builders.ts";
import { readLedgerV1, saveRecordV1, withLedgerV1 } from "./state-v1.ts";

const [dir = ""] = process.argv.slice(2);
const path = join(dir, "ledger.db");

withLedgerV1(path, (db) => {
  for (let n = 0; n < 20; n += 1) {
    const { restart: _, ...spec } = podSpec({ env: { FILLER: "x".repeat(2_000) } });
    const wanted = wantedPod({ podId: podId(n) });
    saveRecordV1(db, Object.assign({}, podRecord(), { wanted: Object.assign({}, wanted, { spec }) }));
  }
});
fillDisk(join(dir, "filler"));
const code = codeOf(() => openLedger(path).close());
// Room to open it, and none for a copy.
truncateSync(join(dir, "filler"), statSync(join(dir, "filler")).size - 80_000);
const codeOfCopy = codeOf(() => openLedger(path).close());
const left = readdirSync(dir).filter((name) => name.includes("before"));
rmSync(join(dir, "filler"));
const stillVersion1 = readLedgerV1(path).records.length;
const ledger = openLedger(path);
process.stdout.write(
  JSON.stringify({ codes: [code, codeOfCopy], left, stillVersion1, after: ledger.readAll().entries.length }),
);
ledger.close();

function fillDisk(file: string): void {
  for (const size of [65_536, 4_096]) {
    try {
      for (;;) writeFileSync(file, Buffer.alloc(size), { flag: "a" });
    } catch {
      // Full: that is what it is for.
    }
  }
}

function codeOf(work: () => void): string {
  try {
    work();
    return "done";
  } catch (error) {
    return toAppError(error).code;
  }
}
