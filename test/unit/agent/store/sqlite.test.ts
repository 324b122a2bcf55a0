/**
 * The SQLite store does what the port promises, and what only a file can show: restarts, damage, newer versions.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { openSqliteStore } from "../../../../agent/store/sqlite.ts";
import { storeCompliance } from "../../../compliance/store.suite.ts";
import { hostRecord, podEvent, podRecord, podStatus } from "../../../support/agent-builders.ts";
import { podId, T0, wantedPod } from "../../../support/builders.ts";

storeCompliance(() => openSqliteStore(":memory:"));

describe("a store in a file", () => {
  let folder: string;
  let path: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "lium-store-"));
    path = join(folder, "state", "agent.db");
  });

  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  function withFile<T>(work: (file: DatabaseSync) => T): T {
    const file = new DatabaseSync(path);
    try {
      return work(file);
    } finally {
      file.close();
    }
  }

  it("holds after a restart what was written, nonces included", async () => {
    const before = await openSqliteStore(path);
    await before.write({ hosts: [hostRecord()], pods: [podRecord()] });
    await before.remember("a hotkey", 1n, T0);
    await before.close();

    const after = await openSqliteStore(path);

    expect(await after.load()).toEqual({ hosts: [hostRecord()], pods: [podRecord()], damaged: [] });
    expect(await after.remember("a hotkey", 1n, T0)).toBe(false);
    await after.close();
  });

  it("lets others read the file while the agent writes to it", async () => {
    const store = await openSqliteStore(path);
    await store.write({ hosts: [hostRecord()] });

    const mode = withFile((file) => file.prepare("PRAGMA journal_mode").get());

    expect(mode).toEqual({ journal_mode: "wal" });
    await store.close();
  });

  it("names a row that cannot be read, sets it aside, and gives the others", async () => {
    const store = await openSqliteStore(path);
    await store.write({ pods: [podRecord(), podRecord({ wanted: wantedPod({ podId: podId(2) }) })] });
    withFile((file) => file.prepare("UPDATE pods SET wanted = '{}' WHERE pod_id = ?").run(podId(1)));

    const { pods, damaged } = await store.load();

    expect(pods.map(({ wanted }) => wanted.podId)).toEqual([podId(2)]);
    expect(damaged).toEqual([podId(1)]);
    expect((await store.load()).damaged, "told once").toEqual([]);
    const kept = withFile((file) => file.prepare("SELECT origin, key, content FROM damaged_rows").all());
    expect(kept).toMatchObject([{ origin: "pods", key: podId(1) }]);
    expect(JSON.parse(String(kept[0]?.["content"]))).toMatchObject({ owner: podRecord().wanted.owner, wanted: "{}" });
    await store.close();
  });

  it("reads what its host tells again as absent where it is damaged: facts, statuses", async () => {
    const store = await openSqliteStore(path);
    await store.write({ hosts: [hostRecord()], pods: [podRecord({ status: podStatus("running") })] });
    withFile((file) => file.exec("UPDATE hosts SET facts = '{'; UPDATE pods SET status = '[1]'"));

    const { facts: _, ...host } = hostRecord();
    expect(await store.load()).toEqual({ hosts: [host], pods: [podRecord()], damaged: [] });
    await store.close();
  });

  it("gives the events around one that cannot be read, which it sets aside", async () => {
    const store = await openSqliteStore(path);
    await store.write({ events: [1, 2, 3].map((n) => ({ event: podEvent(n) })) });
    withFile((file) => file.exec("UPDATE events SET event = 'x' WHERE cursor IN (1, 2)"));

    expect(await store.eventsOf(podId(1), 0, 1)).toMatchObject([{ cursor: 3 }]);
    expect(withFile((file) => file.prepare("SELECT key FROM damaged_rows ORDER BY key").all())).toEqual([
      { key: "1" },
      { key: "2" },
    ]);
    await store.close();
  });

  it("finishes a first start that was cut short", async () => {
    await (await openSqliteStore(path)).close();
    withFile((file) => file.exec("DROP TABLE audit; DROP INDEX nonces_by_expiry; DELETE FROM kysely_migration"));

    const store = await openSqliteStore(path);

    expect(await store.readAudit(1)).toEqual([]);
    await store.close();
  });
});
