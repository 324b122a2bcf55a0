/**
 * Version 1 of the state files as its programs wrote and read them: strict schemas, their tables, their ways of reading.
 * Frozen: it stands for a program that is out there. To go once version 1 is no longer one step back.
 */
import { DatabaseSync } from "node:sqlite";

import { z } from "zod";

import { GpuUuid, HostId, Hotkey, Instant, PodId } from "../../protocol/ids.ts";

const Argv = z.array(z.string()).min(1);
const Sealed = z.strictObject({ to: z.string(), box: z.string() });
const PortRequest = z.strictObject({ containerPort: z.int(), protocol: z.enum(["tcp", "udp"]) });
const Reason = z.strictObject({
  code: z.string(),
  message: z.string(),
  details: z.record(z.string(), z.unknown()).optional(),
});
const EndReason = z.enum(["requested", "operator", "lease-ended", "failed"]);
const Timeline = z.strictObject({
  accepted: z.number().optional(),
  pulled: z.number().optional(),
  created: z.number().optional(),
  started: z.number().optional(),
  sshReady: z.number().optional(),
});

const PodSpec = z.strictObject({
  image: z.string(),
  registryAuth: z.strictObject({ username: z.string(), password: Sealed }).optional(),
  entrypoint: Argv.optional(),
  command: Argv.optional(),
  env: z.record(z.string(), z.string()),
  sealedEnv: Sealed.optional(),
  gpus: z.strictObject({ count: z.int(), model: z.string().optional(), uuids: z.array(GpuUuid).optional() }),
  cpus: z.number(),
  memoryBytes: z.int(),
  shmBytes: z.int(),
  pidsLimit: z.int(),
  diskBytes: z.int(),
  readOnlyRoot: z.boolean(),
  ports: z.array(PortRequest),
  volume: z.strictObject({ name: z.string(), mountPath: z.string() }).optional(),
  sshKeys: z.array(z.string()),
  lease: z.strictObject({ expiresAt: Instant, graceSeconds: z.int() }),
  labels: z.record(z.string(), z.string()),
});

const WantedPod = z.strictObject({
  podId: PodId,
  owner: Hotkey,
  revision: z.int(),
  goal: z.enum(["running", "stopped", "ended"]),
  runs: z.int(),
  endReason: EndReason.optional(),
  gpus: z.array(GpuUuid),
  spec: PodSpec,
});

const PodStatus = z.strictObject({
  podId: PodId,
  revision: z.int(),
  phase: z.string(),
  since: Instant,
  reason: Reason.optional(),
  endReason: EndReason.optional(),
  gpus: z.array(GpuUuid),
  ports: z.array(z.strictObject({ ...PortRequest.shape, hostPort: z.int(), publicPort: z.int() })),
  ssh: z.strictObject({ host: z.string(), port: z.int(), user: z.literal("root"), hostKey: z.string() }).optional(),
  pull: z.strictObject({ doneBytes: z.int(), totalBytes: z.int() }).optional(),
  exit: z.strictObject({ code: z.int(), oomKilled: z.boolean(), at: Instant }).optional(),
  timelineMs: Timeline,
});

const PodEvent = z.strictObject({
  cursor: z.int(),
  podId: PodId,
  at: Instant,
  code: z.string(),
  message: z.string(),
  fault: z.enum(["none", "renter", "provider", "network"]),
  details: z.record(z.string(), z.unknown()).optional(),
});

const PodRecord = z.strictObject({
  wanted: WantedPod,
  acceptedAtMs: z.number(),
  lastStart: z.strictObject({ run: z.int(), startedAtMs: z.number() }).optional(),
  ports: z.array(z.strictObject({ ...PortRequest.shape, hostPort: z.int() })),
  failure: Reason.optional(),
  timeline: Timeline,
  overAt: Instant.optional(),
});

const Resources = z.strictObject({ cpus: z.number(), memoryBytes: z.int(), diskBytes: z.int() });
const HostFacts = z.strictObject({
  hostname: z.string(),
  os: z.string(),
  kernel: z.string(),
  arch: z.string(),
  cpuModel: z.string(),
  engineVersion: z.string(),
  executorVersion: z.string(),
  publicAddress: z.string(),
  sealingKey: z.string(),
  total: Resources,
  rentable: Resources,
  gpus: z.array(
    z.strictObject({
      uuid: GpuUuid,
      vendor: z.enum(["nvidia", "amd", "intel"]),
      model: z.string(),
      memoryBytes: z.int(),
      simulated: z.boolean(),
    }),
  ),
});

const LEDGER = `
  CREATE TABLE IF NOT EXISTS pods (pod_id TEXT PRIMARY KEY, record TEXT NOT NULL, status TEXT) STRICT;
  CREATE TABLE IF NOT EXISTS damaged_pods (pod_id TEXT, record TEXT, status TEXT, set_aside_at TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS events (cursor INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
`;

export interface LedgerContentV1 {
  readonly records: readonly unknown[];
  readonly statuses: readonly unknown[];
  readonly events: readonly unknown[];
  readonly bootId: string | undefined;
}

/** Opens a ledger as version 1 did and works on it. */
export function withLedgerV1<T>(path: string, work: (db: DatabaseSync) => T): T {
  const db = new DatabaseSync(path);
  try {
    db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 2000;");
    db.exec(LEDGER);
    db.exec("PRAGMA user_version = 1");
    return work(db);
  } finally {
    db.close();
  }
}

export function saveRecordV1(db: DatabaseSync, record: object & { readonly wanted: { readonly podId: string } }): void {
  const text = JSON.stringify(PodRecord.parse(record));
  db.prepare(
    "INSERT INTO pods (pod_id, record) VALUES (?, ?) ON CONFLICT (pod_id) DO UPDATE SET record = excluded.record",
  ).run(record.wanted.podId, text);
}

/** Throws where version 1 would have set a record aside. */
export function readLedgerV1(path: string): LedgerContentV1 {
  return withLedgerV1(path, (db) => {
    const pods = db.prepare("SELECT pod_id, record, status FROM pods ORDER BY pod_id").all();
    const events = db.prepare("SELECT cursor, event FROM events ORDER BY cursor").all();
    const meta = db.prepare("SELECT value FROM meta WHERE key = 'boot-id'").get();
    return {
      records: pods.map((row) => PodRecord.parse(JSON.parse(String(row["record"])))),
      statuses: pods.flatMap((row) =>
        row["status"] === null ? [] : PodStatus.parse(JSON.parse(String(row["status"]))),
      ),
      events: events.map((row) => PodEvent.parse({ ...JSON.parse(String(row["event"])), cursor: row["cursor"] })),
      bootId: meta === undefined ? undefined : String(meta["value"]),
    };
  });
}

/** What version 1 of the agent made of hosts and pods; it throws where that version would have named them damaged. */
export function readStoreV1(path: string): { hosts: unknown[]; pods: unknown[]; steps: unknown[] } {
  const db = new DatabaseSync(path);
  try {
    const hosts = db.prepare("SELECT host_id, facts FROM hosts").all();
    const pods = db.prepare("SELECT wanted, status FROM pods").all();
    return {
      hosts: hosts.map((row) => [HostId.parse(row["host_id"]), HostFacts.parse(JSON.parse(String(row["facts"])))]),
      pods: pods.map((row) => [
        WantedPod.parse(JSON.parse(String(row["wanted"]))),
        PodStatus.parse(JSON.parse(String(row["status"]))),
      ]),
      steps: db.prepare("SELECT name FROM kysely_migration").all(),
    };
  } finally {
    db.close();
  }
}
