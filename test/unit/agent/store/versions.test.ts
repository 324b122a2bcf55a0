/** The agent's database goes forward with a copy beside it, one step back, and opens after damage with what is left. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { openSqliteStore, stepStoreBack } from "../../../../agent/store/sqlite.ts";
import { hostRecord, podEvent, podRecord, podStatus } from "../../../support/agent-builders.ts";
import { podId, T0, wantedPod } from "../../../support/builders.ts";
import { readStoreV1 } from "../../../support/state-v1.ts";

const AT = new Date(T0).toISOString();

let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "lium-agent-versions-"));
  path = join(dir, "agent.db");
});
afterEach(() => rmSync(dir, { recursive: true }));

const STATUS = podStatus("exited", {
  exit: { code: 3, oomKilled: false, at: AT, cause: "exit code 3", tries: 1 },
  unbilledSince: AT,
});

async function fill(): Promise<void> {
  const store = await openSqliteStore(path);
  const pods = Array.from({ length: 20 }, (_, n) =>
    podRecord({ wanted: wantedPod({ podId: podId(n) }), status: STATUS }),
  );
  await store.write({ hosts: [hostRecord()], pods, events: [{ event: podEvent(1) }] });
  await store.close();
}

function withFile(work: (file: DatabaseSync) => void): void {
  const file = new DatabaseSync(path);
  work(file);
  file.close();
}

describe("the agent's database", () => {
  it("is read whole by version 1 after the step back, and by this one after that, with a copy beside", async () => {
    await fill();

    await stepStoreBack(path);
    const seen = readStoreV1(path);

    expect(seen.hosts).toHaveLength(1);
    expect(seen.pods).toHaveLength(20);
    expect(seen.steps).toEqual([{ name: "0001-first-tables" }]);
    const store = await openSqliteStore(path);
    expect((await store.load()).pods).toHaveLength(20);
    expect(store.opening.migrated).toMatchObject({ from: 1, to: 2 });
    expect(readdirSync(dir).filter((name) => name.includes("before"))).toEqual(["agent.db.before-v2"]);
    await store.close();
    await stepStoreBack(path);
    await expect(stepStoreBack(path)).rejects.toThrow("no step back");
  });

  it("is used as it is when it is one step ahead, and refused untouched when it is two", async () => {
    await fill();
    const step = (name: string): void =>
      withFile((file) => file.prepare("INSERT INTO kysely_migration VALUES (?, ?)").run(name, AT));
    step("0003-later");
    withFile((file) => file.exec("ALTER TABLE pods ADD COLUMN later TEXT"));
    withFile((file) => file.exec("UPDATE pods SET wanted = json_set(wanted, '$.later', 1, '$.spec.later', 2)"));

    const store = await openSqliteStore(path);
    expect((await store.load()).pods).toHaveLength(20);
    await store.close();

    step("0004-much-later");
    const before = readFileSync(path);
    await expect(openSqliteStore(path)).rejects.toMatchObject({ code: "state-too-new" });
    expect(readFileSync(path)).toEqual(before);
  });

  it("stays as it was when a step fails halfway", async () => {
    await fill();
    await stepStoreBack(path);
    withFile((file) =>
      file.exec("CREATE TRIGGER no BEFORE INSERT ON kysely_migration BEGIN SELECT raise(ABORT, 'not now'); END"),
    );

    await expect(openSqliteStore(path)).rejects.toMatchObject({ code: "config-invalid" });

    expect(readStoreV1(path).steps).toEqual([{ name: "0001-first-tables" }]);
    withFile((file) =>
      expect(file.prepare("SELECT name FROM sqlite_schema WHERE name = 'damaged_rows'").all()).toEqual([]),
    );
  });

  it("demand 24: opens after it was cut off or changed anywhere, and has no rows that were not written", async () => {
    await fill();
    const whole = readFileSync(path);
    const damage = fc.record({
      at: fc.nat(whole.length - 1),
      mask: fc.integer({ min: 1, max: 255 }),
      cut: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(damage, async ({ at, mask, cut }) => {
        for (const name of readdirSync(dir)) rmSync(join(dir, name));
        const content = Uint8Array.from(whole);
        content[at] = (content[at] ?? 0) ^ mask;
        writeFileSync(path, cut ? whole : content);
        if (cut) truncateSync(path, at);

        const store = await openSqliteStore(path);
        const { pods } = await store.load();
        await store.write({ pods: [podRecord({ wanted: wantedPod({ podId: podId(99) }) })] });
        expect((await store.load()).pods).toHaveLength(pods.length + 1);
        await store.close();
      }),
      { numRuns: 40 },
    );
  });
});
