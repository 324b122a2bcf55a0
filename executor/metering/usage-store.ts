/**
 * The record of usage on disk, in a file of its own: entries are only ever added, at the end, together with the intervals that
 * go on from there and the signed end of the chain; a whole step is durable when it returns, or nothing of it is.
 */
import { z } from "zod";

import type { Ed25519Key } from "../../common/ed25519.ts";
import { readKnown } from "../../common/lenient.ts";
import { checksum, isIntact } from "../../common/sqlite/checksum.ts";
import { type Database, inTransaction } from "../../common/sqlite/database.ts";
import { type OpeningReport, openStored } from "../../common/sqlite/stored.ts";
import { GpuUuid, PodId } from "../../protocol/ids.ts";
import { type Seal, SignedSeal, type UsageEntry, UsageKind, UsageReason } from "../../protocol/usage.ts";
import type { Open } from "./accrue.ts";
import { canonical, genesis, isGenuine, type Link, nextLink, signSeal } from "./chain.ts";
import { USAGE_MIGRATIONS } from "./usage-versions.ts";

/** An entry as it lies in the file. */
export interface StoredEntry {
  readonly seq: number;
  readonly body: string;
  readonly hash: string;
}

export interface Step {
  readonly entries: readonly UsageEntry[];
  /** What is open now of each of these pods; undefined when the pod is over. */
  readonly open: ReadonlyMap<PodId, Open | undefined>;
  readonly atMs: number;
}

export interface UsageStore {
  /** What had to be done to the file when it was opened. */
  readonly opening: OpeningReport;
  /** What was open when the executor went down. What cannot be read is left out. */
  open(): Open[];
  append(step: Step): void;
  /** Entries after one, the oldest first; of one pod, or of all. */
  after(seq: number, limit: number, podId?: PodId): StoredEntry[];
  /** The newest entry that is there. */
  last(): Link | undefined;
  seal(what: Seal["what"]): SignedSeal | undefined;
  /** Forgets entries from the oldest on up to the first that is labelled `beforeMs` or later, and signs for them. Gives how many. */
  prune(beforeMs: number, atMs: number): number;
  close(): void;
}

const Moment = z.strictObject({ bootId: z.string(), upMs: z.int(), wallMs: z.int() });
const StoredOpen = z.strictObject({
  podId: PodId,
  terms: z.strictObject({ gpus: z.array(GpuUuid), cpus: z.number(), memoryBytes: z.int(), diskBytes: z.int() }),
  mode: z.strictObject({ kind: UsageKind, reason: UsageReason }),
  since: Moment,
  mark: z.string().optional(),
  unseenMs: z.int().optional(),
  counters: z.strictObject({ bridge: z.string(), rxBytes: z.int(), txBytes: z.int() }).optional(),
});

/** Throws `state-too-new` and `disk-low`, as every file that must survive does. */
export function openUsageStore(path: string, key: Ed25519Key, nowMs: number): UsageStore {
  const { db, report } = openStored(path, USAGE_MIGRATIONS, nowMs);
  return storeOver(db, key, report);
}

function storeOver(db: Database, key: Ed25519Key, opening: OpeningReport): UsageStore {
  const insert = db.prepare("INSERT INTO entries (seq, body, hash) VALUES (?, ?, ?)");
  const selectAll = db.prepare("SELECT seq, body, hash FROM entries WHERE seq > ? ORDER BY seq LIMIT ?");
  const selectPod = db.prepare("SELECT seq, body, hash FROM entries WHERE pod = ? AND seq > ? ORDER BY seq LIMIT ?");
  const selectLast = db.prepare("SELECT seq, hash FROM entries ORDER BY seq DESC LIMIT 1");
  const last = (): Link | undefined => {
    const row = selectLast.get();
    return row && { seq: Number(row["seq"]), hash: hexOf(row["hash"]) };
  };
  const seal = (what: Seal["what"]): SignedSeal | undefined =>
    readKnown(SignedSeal, db.prepare("SELECT body FROM seals WHERE what = ?").get(what)?.["body"]);
  const setSeal = (what: Seal["what"], { seq, hash }: Link, atMs: number): void => {
    const body = canonical(signSeal(key, { what, seq, hash, atMs }));
    db.prepare("INSERT INTO seals VALUES (?, ?) ON CONFLICT (what) DO UPDATE SET body = excluded.body").run(what, body);
  };
  let end = endOf({ last: last(), seals: [seal("head"), seal("checkpoint")], host: key.publicKey });
  return {
    opening,
    open: () => readOpen(db),
    append: ({ entries, open, atMs }) => {
      end = inTransaction(db, () => {
        let link = end;
        for (const entry of entries) {
          const body = canonical(entry);
          link = nextLink(link, body);
          insert.run(link.seq, body, Buffer.from(link.hash, "hex"));
        }
        for (const [podId, interval] of open) writeOpen(db, podId, interval);
        if (entries.length > 0) setSeal("head", link, atMs);
        return link;
      });
    },
    after: (seq, limit, podId) =>
      (podId === undefined ? selectAll.all(seq, limit) : selectPod.all(podId, seq, limit)).map((row) => ({
        seq: Number(row["seq"]),
        body: String(row["body"]),
        hash: hexOf(row["hash"]),
      })),
    last,
    seal,
    prune: (beforeMs, atMs) =>
      inTransaction(db, () => {
        const keep = db.prepare("SELECT min(seq) AS seq FROM entries WHERE at >= ?").get(beforeMs)?.["seq"];
        const row = db
          .prepare("SELECT seq, hash FROM entries WHERE seq < ? ORDER BY seq DESC LIMIT 1")
          .get(Number(keep ?? end.seq));
        if (row === undefined) return 0;
        setSeal("checkpoint", { seq: Number(row["seq"]), hash: hexOf(row["hash"]) }, atMs);
        return Number(db.prepare("DELETE FROM entries WHERE seq <= ?").run(row["seq"] ?? 0).changes);
      }),
    close: () => db.close(),
  };
}

interface Ends {
  readonly last: Link | undefined;
  readonly seals: readonly (SignedSeal | undefined)[];
  readonly host: string;
}

/** The chain goes on behind all that was ever signed, also where entries were lost: a number is given once. */
function endOf({ last, seals, host }: Ends): Link {
  const signed = seals.flatMap((one) => (one !== undefined && isGenuine(one, host, one.seal.what) ? [one.seal] : []));
  const ends: Link[] = [genesis(host), ...signed, ...(last === undefined ? [] : [last])];
  return ends.reduce((furthest, link) => (link.seq >= furthest.seq ? link : furthest));
}

function readOpen(db: Database): Open[] {
  return db
    .prepare("SELECT body, body_sum FROM open_intervals")
    .all()
    .flatMap(({ body, body_sum }) => {
      const text = String(body);
      return isIntact(text, body_sum) ? (readKnown(StoredOpen, text) ?? []) : [];
    });
}

function writeOpen(db: Database, podId: PodId, open: Open | undefined): void {
  if (open === undefined) return void db.prepare("DELETE FROM open_intervals WHERE pod = ?").run(podId);
  const { gap: _gap, doubtMs: _doubt, ...interval } = open;
  const body = JSON.stringify(interval);
  db.prepare(
    `INSERT INTO open_intervals VALUES (?, ?, ?)
     ON CONFLICT (pod) DO UPDATE SET body = excluded.body, body_sum = excluded.body_sum`,
  ).run(podId, body, checksum(body));
}

function hexOf(value: unknown): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString("hex") : "";
}
