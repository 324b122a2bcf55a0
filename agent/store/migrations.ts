/**
 * The way from an empty database to the newest schema: forward only, each step once, in the order of the names.
 * A step that was released is never changed again; every statement can be repeated, since a crash may cut a step short.
 */
import type { Kysely } from "kysely";
import { type Migration, Migrator } from "kysely/migration";

import { AppError, toAppError } from "../../protocol/errors.ts";
import type { Tables } from "./schema.ts";

const MIGRATIONS: Readonly<Record<string, Migration>> = { "0001-first-tables": { up: firstTables } };

/** Throws `config-invalid` when this version cannot use the database, as when a newer one wrote it. */
export async function migrate(db: Kysely<Tables>): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: async () => ({ ...MIGRATIONS }) } });
  const { error } = await migrator.migrateToLatest();
  if (error === undefined) return;
  const { message } = toAppError(error);
  throw new AppError("config-invalid", {
    message: `This version cannot use the agent's database: ${message}`,
    cause: error,
  });
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
