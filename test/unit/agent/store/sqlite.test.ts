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
import { hostRecord, podRecord } from "../../../support/agent-builders.ts";
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

  it("names a row that cannot be read, leaves it, and gives the others", async () => {
    const store = await openSqliteStore(path);
    await store.write({ pods: [podRecord(), podRecord({ wanted: wantedPod({ podId: podId(2) }) })] });
    withFile((file) => file.prepare("UPDATE pods SET wanted = '{}' WHERE pod_id = ?").run(podId(1)));

    const { pods, damaged } = await store.load();

    expect(pods.map(({ wanted }) => wanted.podId)).toEqual([podId(2)]);
    expect(damaged).toEqual([podId(1)]);
    expect(withFile((file) => file.prepare("SELECT count(*) AS n FROM pods").get())).toEqual({ n: 2 });
    await store.close();
  });

  it("refuses a database that a newer version wrote", async () => {
    await (await openSqliteStore(path)).close();
    withFile((file) =>
      file.prepare("INSERT INTO kysely_migration VALUES ('9999-from-the-future', ?)").run(new Date(T0).toISOString()),
    );

    await expect(openSqliteStore(path)).rejects.toMatchObject({ code: "config-invalid" });
  });

  it("finishes a first start that was cut short", async () => {
    await (await openSqliteStore(path)).close();
    withFile((file) => file.exec("DROP TABLE audit; DROP INDEX nonces_by_expiry; DELETE FROM kysely_migration"));

    const store = await openSqliteStore(path);

    expect(await store.readAudit(1)).toEqual([]);
    await store.close();
  });
});
