/**
 * The way from an empty database to the newest schema, each step once, in the order of the names, and one step back.
 * A step that was released is never changed again, and it only adds (common/sqlite/versions.ts says why): the version
 * before can work on what this one wrote.
 */
import { type Kysely, sql } from "kysely";
import { type Migration, type MigrationResultSet, Migrator } from "kysely/migration";

import { type Fields, keepKnown } from "../../common/known-fields.ts";
import { AppError, toAppError } from "../../protocol/errors.ts";
import { HOST_FACTS_V1, POD_EVENT_V1, POD_STATUS_V1, WANTED_POD_V1 } from "../../protocol/fields-v1.ts";
import type { Tables } from "./schema.ts";

const MIGRATIONS: Readonly<Record<string, Migration>> = {
  "0001-first-tables": { up: firstTables },
  "0002-damaged-rows": { up: damagedRows, down: withoutDamagedRows },
};
const NEWEST = Object.keys(MIGRATIONS).toSorted().at(-1);

/** The steps that the database has had and this program does not know. Throws `state-too-new` when there is more than one. */
export function stepsAhead(executed: readonly string[]): string[] {
  const ahead = executed.filter((name) => !Object.hasOwn(MIGRATIONS, name));
  if (ahead.length <= 1) return ahead;
  throw new AppError("state-too-new", {
    message: "A newer version of the agent wrote this database; it was not touched.",
    details: { unknownSteps: ahead },
  });
}

/** Whether a database with these steps waits for others. */
export function isBehind(executed: readonly string[]): boolean {
  return Object.keys(MIGRATIONS).some((name) => !executed.includes(name));
}

/** Throws `state-too-new`, and `config-invalid` when this version cannot use the database for another reason. */
export async function migrate(db: Kysely<Tables>, executed: readonly string[]): Promise<void> {
  check(await migratorOf(db, stepsAhead(executed)).migrateToLatest());
}

/** Undoes the newest step of this version. Throws `invalid-request` when that is not the last one the database has had. */
export async function migrateBack(db: Kysely<Tables>, executed: readonly string[]): Promise<void> {
  const [before, last] = executed.toSorted().slice(-2);
  if (before === undefined || last !== NEWEST) {
    throw new AppError("invalid-request", { message: "There is no step back from the version of this database." });
  }
  check(await migratorOf(db, []).migrateTo(before));
}

/** A step that is ahead of us was taken by a newer version and is not repeated: only its name is needed. */
function migratorOf(db: Kysely<Tables>, ahead: readonly string[]): Migrator {
  const known = Object.fromEntries(ahead.map((name): [string, Migration] => [name, { up: async () => undefined }]));
  return new Migrator({
    db,
    provider: { getMigrations: async () => ({ ...MIGRATIONS, ...known }) },
    // Kysely orders what was done by the time it was done at, and clocks are set back now and then.
    allowUnorderedMigrations: true,
  });
}

function check({ error }: MigrationResultSet): void {
  if (error === undefined) return;
  throw new AppError("config-invalid", {
    message: `This version cannot use the agent's database: ${toAppError(error).message}`,
    cause: error,
  });
}

/** Rows that could not be read, as JSON, for somebody to look at. */
async function damagedRows(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("damaged_rows")
    .ifNotExists()
    .addColumn("origin", "text", (column) => column.notNull())
    .addColumn("key", "text", (column) => column.notNull())
    .addColumn("content", "text", (column) => column.notNull())
    .addColumn("set_aside_at", "text", (column) => column.notNull())
    .execute();
}

async function withoutDamagedRows(db: Kysely<unknown>): Promise<void> {
  await db.schema.dropTable("damaged_rows").execute();
  await cutDown(db, { table: "pods", key: "pod_id", column: "wanted", fields: WANTED_POD_V1 });
  await cutDown(db, { table: "pods", key: "pod_id", column: "status", fields: POD_STATUS_V1 });
  await cutDown(db, { table: "hosts", key: "host_id", column: "facts", fields: HOST_FACTS_V1 });
  await cutDown(db, { table: "events", key: "cursor", column: "event", fields: POD_EVENT_V1 });
}

interface Texts {
  readonly table: string;
  readonly key: string;
  readonly column: string;
  readonly fields: Fields;
}

/** Leaves out what version 1 did not know; what is no JSON stays for that version to name. */
async function cutDown(db: Kysely<unknown>, { table, key, column, fields }: Texts): Promise<void> {
  const [from, id, text] = [sql.table(table), sql.ref(key), sql.ref(column)];
  const { rows } = await sql<{
    id: unknown;
    text: string | null;
  }>`select ${id} as id, ${text} as text from ${from}`.execute(db);
  for (const row of rows) {
    const value = parse(row.text);
    if (value === undefined) continue;
    await sql`update ${from} set ${text} = ${JSON.stringify(keepKnown(fields, value))} where ${id} = ${row.id}`.execute(
      db,
    );
  }
}

function parse(text: string | null): unknown {
  try {
    return text === null ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function firstTables(db: Kysely<unknown>): Promise<void> {
  const table = (name: string) => db.schema.createTable(name).ifNotExists();
  await table("hosts")
    .addColumn("host_id", "text", (column) => column.primaryKey())
    .addColumn("name", "text", (column) => column.notNull())
    .addColumn("public_key", "text", (column) => column.notNull().unique())
    .addColumn("enrolled_at", "text", (column) => column.notNull())
    .addColumn("last_seen_at", "text")
    .addColumn("facts", "text")
    .addColumn("event_cursor", "bigint", (column) => column.notNull())
    .execute();
  await table("pods")
    .addColumn("pod_id", "text", (column) => column.primaryKey())
    .addColumn("host_id", "text", (column) => column.notNull())
    .addColumn("owner", "text", (column) => column.notNull())
    .addColumn("created_at", "text", (column) => column.notNull())
    .addColumn("claimed", "integer", (column) => column.notNull())
    .addColumn("accepted_ms", "real", (column) => column.notNull())
    .addColumn("idempotency_key", "text")
    .addColumn("request_hash", "text")
    .addColumn("wanted", "text", (column) => column.notNull())
    .addColumn("status", "text")
    .addUniqueConstraint("pods_idempotency", ["owner", "idempotency_key"])
    .execute();
  await table("events")
    .addColumn("cursor", "integer", (column) => column.primaryKey().autoIncrement())
    .addColumn("pod_id", "text", (column) => column.notNull())
    .addColumn("event", "text", (column) => column.notNull())
    .addColumn("host_id", "text")
    .addColumn("host_cursor", "bigint")
    .addUniqueConstraint("events_of_a_host_once", ["host_id", "host_cursor"])
    .execute();
  await db.schema.createIndex("events_of_a_pod").ifNotExists().on("events").columns(["pod_id", "cursor"]).execute();
  await table("join_tokens")
    .addColumn("secret_hash", "text", (column) => column.primaryKey())
    .addColumn("expires_at_ms", "bigint", (column) => column.notNull())
    .execute();
  await table("nonces")
    .addColumn("hotkey", "text", (column) => column.notNull())
    .addColumn("nonce", "text", (column) => column.notNull())
    .addColumn("expires_at_ms", "bigint", (column) => column.notNull())
    .addPrimaryKeyConstraint("nonces_once", ["hotkey", "nonce"])
    .execute();
  await db.schema.createIndex("nonces_by_expiry").ifNotExists().on("nonces").column("expires_at_ms").execute();
  await table("audit")
    .addColumn("id", "integer", (column) => column.primaryKey().autoIncrement())
    .addColumn("at", "text", (column) => column.notNull())
    .addColumn("who", "text", (column) => column.notNull())
    .addColumn("action", "text", (column) => column.notNull())
    .addColumn("subject", "text", (column) => column.notNull())
    .addColumn("outcome", "text", (column) => column.notNull())
    .execute();
}
