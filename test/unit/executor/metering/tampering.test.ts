/** Nobody without the host's key changes the record of usage unseen: no byte, no entry, no end. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { type Ed25519Key, generateEd25519 } from "../../../../common/ed25519.ts";
import { canonical, genesis, type Link, nextLink, signSeal } from "../../../../executor/metering/chain.ts";
import { openUsageStore, type UsageStore } from "../../../../executor/metering/usage-store.ts";
import { verifyUsage } from "../../../../executor/metering/verify.ts";
import type { UsageEntry, UsageVerdict } from "../../../../protocol/usage.ts";
import { podId, T0 } from "../../../support/builders.ts";

const ENTRIES = 12;

let dir: string;
let path: string;
let key: Ed25519Key;
let store: UsageStore;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "lium-tamper-"));
  path = join(dir, "usage.db");
  key = generateEd25519();
  store = openUsageStore(path, key, T0);
  for (let n = 0; n < ENTRIES; n += 1) append(n);
});
afterEach(() => {
  store.close();
  rmSync(dir, { recursive: true });
});

function entry(n: number): UsageEntry {
  return {
    v: 1,
    podId: podId(n % 2),
    kind: "billed",
    reason: "running",
    atMs: T0 + n * 60_000,
    ms: 60_000,
    gpus: [],
    cpus: 1,
    memoryBytes: 1024,
    diskBytes: 2048,
  };
}

function append(n: number): void {
  store.append({ entries: [entry(n)], open: new Map(), atMs: T0 + n * 60_000 });
}

/** Changes the file as somebody who can write it, and nothing else, could. */
function tamper(sql: string, ...values: (string | number | Uint8Array)[]): void {
  const file = new DatabaseSync(path);
  file.prepare(sql).run(...values);
  file.close();
}

function verify(): Promise<UsageVerdict> {
  return verifyUsage(store, { host: key.publicKey });
}

async function codes(): Promise<string[]> {
  return (await verify()).faults.map(({ code, seq }) => `${code} ${seq}`);
}

describe("demand 31: tampering with the record of usage is found", () => {
  it("and a record that nobody touched is intact, also after the executor started again", async () => {
    store.close();
    store = openUsageStore(path, key, T0);
    append(ENTRIES);

    expect(await verify()).toMatchObject({ intact: true, entries: ENTRIES + 1, faults: [], host: key.publicKey });
  });

  it("whatever byte of an entry is changed", async () => {
    const body = store.after(4, 1)[0]?.body ?? "";
    await fc.assert(
      fc.asyncProperty(fc.nat(body.length - 1), fc.integer({ min: 32, max: 126 }), async (at, code) => {
        const changed = body.slice(0, at) + String.fromCharCode(code) + body.slice(at + 1);
        fc.pre(changed !== body);
        tamper("UPDATE entries SET body = ? WHERE seq = 5", changed);

        expect(await codes()).toEqual(["entry-changed 5"]);
        tamper("UPDATE entries SET body = ? WHERE seq = 5", body);
      }),
      { numRuns: 60 },
    );
    expect(await codes()).toEqual([]);
  });

  it.each([
    ["a hash", "UPDATE entries SET hash = zeroblob(32) WHERE seq = 5", ["entry-changed 5", "entry-changed 6"]],
    [
      "the last hash",
      "UPDATE entries SET hash = zeroblob(32) WHERE seq = 12",
      ["entry-changed 12", "entry-changed 12"],
    ],
    ["an entry in the middle that is gone", "DELETE FROM entries WHERE seq = 5", ["entry-missing 5"]],
    ["the first entries that are gone", "DELETE FROM entries WHERE seq <= 3", ["entry-missing 1"]],
    ["an end that is gone", "DELETE FROM entries WHERE seq > 9", ["end-missing 10"]],
    ["everything gone", "DELETE FROM entries", ["end-missing 1"]],
    ["a number that changed", "UPDATE entries SET seq = 40 WHERE seq = 12", ["entry-missing 12", "end-unsigned 13"]],
    ["the end's signature gone", "DELETE FROM seals", ["end-unsigned 12"]],
    [
      "a seal that says another end",
      "UPDATE seals SET body = replace(body, '\"seq\":12', '\"seq\":11')",
      ["seal-invalid 11"],
    ],
    ["a seal's other time", `UPDATE seals SET body = replace(body, '"atMs":', '"atMs":1')`, ["seal-invalid 12"]],
  ])("%s", async (_what, sql, found) => {
    tamper(sql);

    expect(await codes()).toEqual(found);
  });

  it("two entries that changed places", async () => {
    const [fifth, sixth] = store.after(4, 2);
    tamper("UPDATE entries SET body = ? WHERE seq = 5", sixth?.body ?? "");
    tamper("UPDATE entries SET body = ? WHERE seq = 6", fifth?.body ?? "");

    expect(await codes()).toEqual(["entry-changed 5", "entry-changed 6"]);
  });

  it("a chain that was computed anew from a change on, by somebody without the key", async () => {
    let link: Link = store.after(3, 1)[0] ?? genesis(key.publicKey);
    for (const { seq, body } of store.after(4, ENTRIES)) {
      const forged = seq === 5 ? body.replace('"ms":60000', '"ms":90000') : body;
      link = nextLink(link, forged);
      tamper("UPDATE entries SET body = ?, hash = ? WHERE seq = ?", forged, Buffer.from(link.hash, "hex"), seq);
    }

    expect(await codes()).toEqual(["entry-changed 12"]);
  });

  it("entries that somebody added, with right hashes and without the key, or with another one", async () => {
    const body = canonical(entry(40));
    const link = nextLink(store.last() ?? genesis(key.publicKey), body);
    tamper("INSERT INTO entries (seq, body, hash) VALUES (?, ?, ?)", link.seq, body, Buffer.from(link.hash, "hex"));
    expect(await codes()).toEqual(["end-unsigned 13"]);

    const seal = canonical(signSeal(generateEd25519(), { what: "head", ...link, atMs: T0 }));
    tamper("UPDATE seals SET body = ?", seal);
    expect(await codes()).toEqual(["seal-invalid 13"]);
  });

  it("a checkpoint that somebody made of the signed end", async () => {
    const head = store.seal("head");
    tamper("INSERT INTO seals VALUES ('checkpoint', ?)", canonical(head));
    tamper("DELETE FROM entries");

    expect(await codes()).toEqual(["seal-invalid 12", "end-missing 1"]);
  });

  it("an older copy of the whole file, where somebody noted the end before", async () => {
    const older = openUsageStore(":memory:", key, T0);
    for (let n = 0; n < 5; n += 1) older.append({ entries: [entry(n)], open: new Map(), atMs: T0 });
    const known = store.seal("head")?.seal;

    expect((await verifyUsage(older, { host: key.publicKey })).intact).toBe(true);
    expect(await verifyUsage(older, { host: key.publicKey, known })).toMatchObject({
      intact: false,
      faults: [{ code: "head-unknown" }],
    });
    expect(await verifyUsage(store, { host: key.publicKey, known })).toMatchObject({ intact: true });
    older.close();
  });

  it("another host's record, however whole", async () => {
    expect((await verifyUsage(store, { host: generateEd25519().publicKey })).intact).toBe(false);
  });
});

describe("pruning the record of usage", () => {
  it("leaves a signed checkpoint from which the rest follows", async () => {
    expect(store.prune(T0 + 5 * 60_000, T0)).toBe(5);
    append(ENTRIES);

    expect(await verify()).toMatchObject({ intact: true, entries: 8, checkpoint: { seal: { seq: 5 } } });
    tamper("DELETE FROM entries WHERE seq = 6");
    expect(await codes()).toEqual(["entry-missing 6"]);
  });

  it("may take everything, and counting goes on", async () => {
    store.prune(T0 + 100 * 60_000, T0);
    store.close();
    store = openUsageStore(path, key, T0);
    append(ENTRIES);

    expect(await verify()).toMatchObject({ intact: true });
    expect(store.last()?.seq).toBe(ENTRIES + 1);
  });

  it("takes an entry back into the account that somebody puts before the checkpoint", async () => {
    const [row] = store.after(0, 1);
    store.prune(T0 + 5 * 60_000, T0);
    tamper(
      "INSERT INTO entries (seq, body, hash) VALUES (1, ?, ?)",
      row?.body ?? "",
      Buffer.from(row?.hash ?? "", "hex"),
    );

    expect(await codes()).toContain("entry-changed 1");
  });
});
