/** What crashes and broken disks do to the executor's ledger: it opens, what can be read is there, nothing is made up. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { type Ledger, openLedger } from "../../executor/pods/ledger.ts";
import type { PodRecord } from "../../executor/pods/state.ts";
import type { PodStatus } from "../../protocol/pod.ts";
import { seededRandom } from "../support/arena/random.ts";
import { podId, podRecord, podSpec, T0, wantedPod } from "../support/builders.ts";
import { killWhileItWorks } from "../support/ledger-kills.ts";

const PODS = 12;
const EVENTS = 40;
const EVENT = { podId: podId(1), at: new Date(T0).toISOString(), code: "running", fault: "none" } as const;
const STATUS: PodStatus = {
  podId: podId(1),
  revision: 1,
  since: EVENT.at,
  phase: "running",
  gpus: [],
  ports: [],
  timelineMs: {},
};

let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "lium-damage-"));
  path = join(dir, "ledger.db");
});
afterEach(() => rmSync(dir, { recursive: true }));

/** Records long enough that they fill many pages. */
function recordOf(n: number): PodRecord {
  const env = { FILLER: String(n).repeat(1_500) };
  return podRecord({ wanted: wantedPod({ podId: podId(n), spec: podSpec({ env }) }) });
}

function fill(ledger: Ledger): void {
  for (let n = 0; n < PODS; n += 1) ledger.saveRecord(recordOf(n));
  for (let n = 0; n < EVENTS; n += 1) {
    ledger.saveStatus(STATUS, [{ ...EVENT, message: `event ${n}` }]);
  }
  ledger.setMeta("boot-id", "boot-1");
}

/** Opens what is there, and sees that it holds only what was written and takes writes. Gives how many records came back. */
function expectService(file: string): number {
  const ledger = openLedger(file);
  const { entries, damaged } = ledger.readAll();
  for (const { record } of entries) {
    expect(record).toEqual(recordOf(Number.parseInt(record.wanted.podId.slice(-12), 16)));
  }
  for (const id of damaged) ledger.setAside(id);
  for (const { message } of ledger.eventsAfter(0, 1_000)) expect(message).toMatch(/^event \d+$/);
  expect(["boot-1", undefined]).toContain(ledger.getMeta("boot-id"));
  ledger.saveRecord(recordOf(99));
  expect(ledger.readAll().entries).toHaveLength(entries.length + 1);
  expect(ledger.readAll().damaged).toEqual([]);
  ledger.close();
  return entries.length;
}

/** Everything that the writer said was stored is there, and nothing is damaged. */
function expectPromisesKept(file: string, said: readonly string[]): void {
  const ledger = openLedger(file);
  expect(ledger.opening, "no salvage was needed").toEqual({});
  const { entries, damaged } = ledger.readAll();
  const revisions = new Map<string, number>(entries.map(({ record: { wanted } }) => [wanted.podId, wanted.revision]));
  const promised = said.map((line) => line.split(" ")).filter(([what]) => what === "record");
  for (const [, id = "", revision] of promised) {
    expect(revisions.get(id)).toBeGreaterThanOrEqual(Number(revision));
  }
  const cursors = ledger.eventsAfter(0, 100_000).map(({ cursor }) => cursor);
  const lastSaid = said.findLast((line) => line.startsWith("event"))?.split(" ")[1] ?? 0;
  expect(damaged).toEqual([]);
  expect(cursors).toEqual(cursors.map((_, index) => index + 1));
  expect(cursors.length).toBeGreaterThanOrEqual(Number(lastSaid));
  ledger.close();
}

describe("demand 24: a ledger that was truncated or changed at any byte", () => {
  let whole: Buffer;
  beforeEach(() => {
    const ledger = openLedger(path);
    fill(ledger);
    ledger.close();
    whole = readFileSync(path);
  });

  function reset(content: Uint8Array): void {
    rmSync(dir, { recursive: true });
    dir = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "lium-damage-"));
    path = join(dir, "ledger.db");
    writeFileSync(path, content);
  }

  it("opens wherever it was cut off, with what is left of it", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: whole.length - 1 }), (length) => {
        reset(whole);
        truncateSync(path, length);

        expectService(path);
      }),
      { numRuns: 200 },
    );
  });

  it("opens after one to eight bytes changed anywhere, and believes no text that changed", () => {
    const flips = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 })), {
      minLength: 1,
      maxLength: 8,
    });
    let kept = 0;
    fc.assert(
      fc.property(flips, (changes) => {
        const content = Uint8Array.from(whole);
        for (const [at, mask] of changes) content[at] = (content[at] ?? 0) ^ mask;
        reset(content);

        kept += expectService(path);
      }),
      { numRuns: 200 },
    );
    // One byte costs at most one record in most places: the great majority is always there.
    expect(kept / 200).toBeGreaterThan(PODS * 0.6);
  });

  it("believes no text beside which the place of the checksum was emptied", () => {
    const db = new DatabaseSync(path);
    const changed = JSON.stringify(recordOf(1)).replace("111", "711");
    db.exec("DROP TRIGGER pods_record_without_sum");
    db.prepare("UPDATE pods SET record = ?, record_sum = NULL WHERE pod_id = ?").run(changed, podId(1));
    db.close();

    expect(expectService(path)).toBe(PODS - 1);
  });

  it("opens after every byte of its header changed, one at a time", () => {
    for (let at = 0; at < 100; at += 1) {
      const content = Uint8Array.from(whole);
      content[at] = (content[at] ?? 0) ^ 0xff;
      reset(content);

      expect(() => expectService(path), `byte ${at}`).not.toThrow();
    }
  });

  it("opens when its write-ahead log is cut off or changed", () => {
    const ledger = openLedger(path);
    for (let n = 0; n < PODS; n += 1) {
      ledger.forget(podId(n));
      ledger.saveRecord(recordOf(n));
    }
    const log = readFileSync(`${path}-wal`);
    ledger.close();
    expect(log.length).toBeGreaterThan(10_000);
    fc.assert(
      fc.property(fc.nat(log.length - 1), fc.boolean(), (at, cut) => {
        reset(whole);
        const content = cut ? log.subarray(0, at) : Uint8Array.from(log);
        if (!cut) content[at] = (content[at] ?? 0) ^ 0x55;
        writeFileSync(`${path}-wal`, content);

        // Each pod was forgotten and written again; the log may end in between.
        expect(expectService(path)).toBeGreaterThanOrEqual(PODS - 1);
      }),
      { numRuns: 60 },
    );
  });

  it("is moved aside unchanged, and its rows are read one by one into another", () => {
    // The interior of the table breaks: page by page from the front no longer works.
    const content = Buffer.from(whole);
    const pageSize = content.readUInt16BE(16);
    const middle = Math.floor(content.length / pageSize / 2) * pageSize;
    content.fill(0xaa, middle, middle + pageSize);
    reset(content);

    const ledger = openLedger(path);
    const { salvage } = ledger.opening;
    ledger.close();

    expect(salvage?.rows["pods"]).toBeGreaterThan(0);
    expect(readFileSync(salvage?.movedTo ?? "")).toEqual(content);
    expect(openLedger(path).opening).toEqual({});
  });

  it("goes on counting events where it was, also when they were all told", () => {
    const ledger = openLedger(path);
    ledger.dropEventsUpTo(EVENTS);
    ledger.close();
    const content = readFileSync(path);
    content.writeUInt32BE(99, 32);
    reset(content);

    const salvaged = openLedger(path);

    expect(salvaged.opening.salvage?.rows["pods"]).toBe(PODS);
    salvaged.saveRecord(recordOf(1));
    expect(salvaged.saveStatus(STATUS, [{ ...EVENT, message: "event 1" }])).toMatchObject([{ cursor: EVENTS + 1 }]);
    salvaged.close();
  });
});

describe("demand 24: kill -9 while the ledger is written", { timeout: 120_000 }, () => {
  it.each([1, 2])("loses nothing that was promised, in 40 kills (round %i)", async (round) => {
    const random = seededRandom("24", `writes ${round}`);
    await killWhileItWorks({ path, mode: "write", kills: 40, random, look: (said) => expectPromisesKept(path, said) });
  });

  it.each(["migrate", "salvage"] as const)("leaves a ledger that opens with all its rows: %s", async (mode) => {
    const ledger = openLedger(path);
    fill(ledger);
    ledger.close();
    const look = (): void => {
      const after = openLedger(path);
      expect(after.readAll().entries).toHaveLength(PODS);
      expect(after.eventsAfter(0, 1_000)).toHaveLength(EVENTS);
      after.close();
    };
    await killWhileItWorks({ path, mode, kills: 15, random: seededRandom("24", mode), look });
  });
});

describe("a full disk", () => {
  it.skipIf(process.getuid?.() !== 0)("stops the way to a new version before it changes anything", () => {
    const script = new URL("../support/ledger-on-full-disk.ts", import.meta.url).pathname;
    const inside = 'mount -t tmpfs -o size=512k none "$1" && exec "$2" "$3" "$1"';
    const args = ["-m", "--propagation", "private", "sh", "-c", inside, "sh", dir, process.execPath, script];

    const said = execFileSync("unshare", args, { encoding: "utf8", timeout: 60_000 });

    expect(JSON.parse(said)).toEqual({ codes: ["disk-low", "disk-low"], left: [], stillVersion1: 20, after: 20 });
  });
});
