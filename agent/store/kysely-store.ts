/**
 * The store over kysely, in SQL that SQLite and PostgreSQL both speak.
 */
import { type Kysely, sql, type Transaction } from "kysely";

import { readKnown } from "../../common/lenient.ts";
import type { OpeningReport } from "../../common/sqlite/stored.ts";
import type { PodId } from "../../protocol/ids.ts";
import { PodEvent } from "../../protocol/pod.ts";
import { Gathered } from "./gathered.ts";
import type { HostRecord, PodRecord } from "./records.ts";
import { hostOf, hostRow, podOf, podRow } from "./rows.ts";
import type { Tables } from "./schema.ts";
import type { AuditEntry, Changes, JoinTokenRecord, NewEvent, Store, Stored } from "./store.ts";

export class KyselyStore implements Store {
  readonly #db: Kysely<Tables>;
  readonly #nonces = new Gathered((rows: readonly Tables["nonces"][]) => this.#addNonces(rows));

  /** What had to be done to the database when it was opened. */
  readonly opening: OpeningReport;

  constructor(db: Kysely<Tables>, opening: OpeningReport) {
    this.#db = db;
    this.opening = opening;
  }

  async load(): Promise<Stored> {
    const hostRows = await this.#db.selectFrom("hosts").selectAll().orderBy("host_id").execute();
    const podRows = await this.#db.selectFrom("pods").selectAll().orderBy("pod_id").execute();
    const hosts = hostRows.map((row) => ({ id: row.host_id, row, record: hostOf(row) }));
    const pods = podRows.map((row) => ({ id: row.pod_id, row, record: podOf(row) }));
    const damagedHosts = hosts.filter(({ record }) => record === undefined);
    const damagedPods = pods.filter(({ record }) => record === undefined);
    await this.#db.transaction().execute(async (step) => {
      for (const { id, row } of damagedHosts) await setAside(step, { table: "hosts", key: "host_id", id }, row);
      for (const { id, row } of damagedPods) await setAside(step, { table: "pods", key: "pod_id", id }, row);
    });
    return {
      hosts: hosts.flatMap(({ record }) => record ?? []),
      pods: pods.flatMap(({ record }) => record ?? []),
      damaged: [...damagedHosts, ...damagedPods].map(({ id }) => id),
    };
  }

  async write({ hosts = [], pods = [], events = [], audit = [] }: Changes): Promise<void> {
    await this.#db.transaction().execute(async (step) => {
      for (const host of hosts) await saveHost(step, host);
      for (const pod of pods) await savePod(step, pod);
      for (const event of events) await saveEvent(step, event);
      for (const entry of audit) await step.insertInto("audit").values(entry).execute();
    });
  }

  async eventsOf(podId: PodId, after: number, limit: number): Promise<PodEvent[]> {
    const events: PodEvent[] = [];
    for (let last = after; events.length < limit;) {
      const rows = await this.#eventRows(podId, last, limit - events.length);
      for (const row of rows) {
        last = row.cursor;
        const event = readKnown(StoredEvent, row.event);
        if (event === undefined) await setAside(this.#db, { table: "events", key: "cursor", id: row.cursor }, row);
        else events.push({ ...event, cursor: row.cursor });
      }
      if (rows.length === 0) break;
    }
    return events;
  }

  #eventRows(podId: PodId, after: number, limit: number): Promise<{ cursor: number; event: string }[]> {
    return this.#db
      .selectFrom("events")
      .select(["cursor", "event"])
      .where("pod_id", "=", podId)
      .where("cursor", ">", after)
      .orderBy("cursor")
      .limit(limit)
      .execute();
  }

  async addJoinToken({ secretHash, expiresAtMs }: JoinTokenRecord): Promise<void> {
    await this.#db.insertInto("join_tokens").values({ secret_hash: secretHash, expires_at_ms: expiresAtMs }).execute();
  }

  async enrol(host: HostRecord, secretHash: string, nowMs: number): Promise<boolean> {
    return this.#db.transaction().execute(async (step) => {
      const used = await step
        .deleteFrom("join_tokens")
        .where("secret_hash", "=", secretHash)
        .where("expires_at_ms", ">", nowMs)
        .executeTakeFirst();
      if (used.numDeletedRows === 0n) return false;
      await saveHost(step, host);
      return true;
    });
  }

  remember(hotkey: string, nonce: bigint, expiresAtMs: number): Promise<boolean> {
    return this.#nonces.ask({ hotkey, nonce: nonce.toString(), expires_at_ms: expiresAtMs });
  }

  /** In one step, so that many cost one wait for the disk. */
  #addNonces(rows: readonly Tables["nonces"][]): Promise<boolean[]> {
    return this.#db.transaction().execute(async (step) => {
      const areNew: boolean[] = [];
      for (const row of rows) {
        const { numInsertedOrUpdatedRows } = await step
          .insertInto("nonces")
          .values(row)
          .onConflict((conflict) => conflict.columns(["hotkey", "nonce"]).doNothing())
          .executeTakeFirstOrThrow();
        areNew.push(numInsertedOrUpdatedRows === 1n);
      }
      return areNew;
    });
  }

  async readAudit(limit: number): Promise<AuditEntry[]> {
    return this.#db
      .selectFrom("audit")
      .select(["at", "who", "action", "subject", "outcome"])
      .orderBy("id", "desc")
      .limit(limit)
      .execute();
  }

  async prune(nowMs: number): Promise<void> {
    await this.#db.deleteFrom("nonces").where("expires_at_ms", "<=", nowMs).execute();
    await this.#db.deleteFrom("join_tokens").where("expires_at_ms", "<=", nowMs).execute();
  }

  async close(): Promise<void> {
    await this.#db.destroy();
  }
}

const StoredEvent = PodEvent.omit({ cursor: true });

interface Place {
  readonly table: "hosts" | "pods" | "events";
  readonly key: "host_id" | "pod_id" | "cursor";
  readonly id: string | number;
}

/** In a transaction, or so that a crash in between leaves the row in both places. */
async function setAside(db: Kysely<Tables>, { table, key, id }: Place, row: object): Promise<void> {
  await db
    .insertInto("damaged_rows")
    .values({
      origin: table,
      key: String(id),
      content: JSON.stringify(row),
      set_aside_at: sql<string>`current_timestamp`,
    })
    .execute();
  await sql`delete from ${sql.table(table)} where ${sql.ref(key)} = ${id}`.execute(db);
}

async function saveHost(step: Transaction<Tables>, host: HostRecord): Promise<void> {
  const row = hostRow(host);
  await step
    .insertInto("hosts")
    .values(row)
    .onConflict((conflict) => conflict.column("host_id").doUpdateSet(row))
    .execute();
}

async function savePod(step: Transaction<Tables>, pod: PodRecord): Promise<void> {
  const row = podRow(pod);
  await step
    .insertInto("pods")
    .values(row)
    .onConflict((conflict) => conflict.column("pod_id").doUpdateSet(row))
    .execute();
}

async function saveEvent(step: Transaction<Tables>, { event, from }: NewEvent): Promise<void> {
  await step
    .insertInto("events")
    .values({
      pod_id: event.podId,
      event: JSON.stringify(event),
      host_id: from?.hostId ?? null,
      host_cursor: from?.cursor ?? null,
    })
    .onConflict((conflict) => conflict.columns(["host_id", "host_cursor"]).doNothing())
    .execute();
}
