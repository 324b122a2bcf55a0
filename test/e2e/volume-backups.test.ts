/** Backups of real volumes to a local folder and to an S3 server that checks every signature, and back. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { describe, expect, it, onTestFinished } from "vitest";

import { systemClock } from "../../common/clock.ts";
import { Backups } from "../../executor/storage/backup/backups.ts";
import { StorageConfig } from "../../executor/storage/config.ts";
import { pathsOf } from "../../executor/storage/volumes/record.ts";
import type { Volumes } from "../../executor/storage/volumes/volumes.ts";
import type { BackupProgress, BackupTarget } from "../../protocol/volume.ts";
import { loggerToMemory } from "../support/memory-log.ts";
import { failureOf, ID, KEY, MIB, MINE, SIGNAL, viewOf, volumesFolder } from "../support/volumes/harness.ts";
import { S3_KEYS, S3Server } from "../support/volumes/s3-server.ts";

const PASSWORD = "password of the backups";
const BACK = { owner: MINE.owner, name: "back" };

async function s3(): Promise<S3Server> {
  const server = await S3Server.listen();
  onTestFinished(() => server[Symbol.asyncDispose]());
  return server;
}

async function localTarget(): Promise<BackupTarget> {
  const folder = await mkdtemp(join(tmpdir(), "lium-backups-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return { repository: folder, password: PASSWORD };
}

function s3Target(server: S3Server): BackupTarget {
  return { repository: server.repository("renter"), password: PASSWORD, s3: S3_KEYS };
}

function backupsOf(volumes: Volumes, inactivitySeconds = 60): Backups {
  const config = StorageConfig.parse({ backups: { inactivitySeconds } });
  return new Backups(config.backups, { copies: volumes.copies, clock: systemClock(), log: loggerToMemory().log });
}

function call(
  target: BackupTarget,
  over: { onProgress?: (progress: BackupProgress) => void; signal?: AbortSignal } = {},
) {
  return { target, onProgress: () => undefined, signal: SIGNAL, ...over };
}

/** Of every file, name, owner, mode and link in a folder. */
function treeHash(path: string): string {
  const list = `find . -printf '%P %m %U %G %y %l\\n' | sort; find . -type f -print0 | sort -z | xargs -0 sha256sum`;
  return execFileSync("sh", ["-c", list], { cwd: path, encoding: "utf8" });
}

async function fill(path: string, megabytes: number): Promise<void> {
  await writeFile(join(path, "weights.bin"), randomBytes(megabytes * MIB));
  await writeFile(join(path, "notes"), "notes\n".repeat(1_000), { mode: 0o640 });
  await symlink("notes", join(path, "link"));
}

describe("demand 34: backup and restore", () => {
  it("demand 34: what comes back from S3 equals the source by hash, and no secret is in any argument meanwhile", async () => {
    const server = await s3();
    const volumes = await (await volumesFolder()).open();
    const backups = backupsOf(volumes);
    const path = await volumes.attach({ ...MINE, sizeBytes: 128 * MIB }, SIGNAL);
    await fill(path, 30);
    const source = treeHash(path);
    const told: BackupProgress[] = [];
    const seen: string[] = [];
    const onProgress = (progress: BackupProgress): void => {
      told.push(progress);
      const restics = "grep -lz restic /proc/[0-9]*/cmdline 2>/dev/null | xargs -r cat | tr '\\0' ' '";
      if (told.length % 100 === 1) seen.push(execFileSync("sh", ["-c", restics], { encoding: "latin1" }));
    };

    const backupId = await backups.backup(ID, call(s3Target(server), { onProgress }));
    await writeFile(join(path, "notes"), "written after the backup");
    await backups.restore(BACK, backupId, call(s3Target(server), { onProgress }));
    await volumes.detach(MINE.podId, SIGNAL);
    const back = await volumes.attach({ ...MINE, ...BACK }, SIGNAL);

    expect(treeHash(back)).toBe(source);
    expect(told.at(-1)).toEqual({ doneBytes: told.at(-1)?.totalBytes, totalBytes: told.at(-1)?.totalBytes });
    expect(seen.join("")).toContain("restic");
    expect([PASSWORD, S3_KEYS.secretAccessKey].filter((secret) => seen.join("").includes(secret))).toEqual([]);
    expect([...server.objects.values()].some((object) => object.includes("notes\nnotes\n"))).toBe(false);
  });

  it("demand 34: an encrypted volume goes and comes back without its key, and opens with it alone", async () => {
    const target = await localTarget();
    const volumes = await (await volumesFolder()).open();
    const backups = backupsOf(volumes);
    const path = await volumes.attach({ ...MINE, key: KEY }, SIGNAL);
    await fill(path, 5);
    const source = treeHash(path);
    await volumes.detach(MINE.podId, SIGNAL);

    await backups.backup(ID, call(target));
    await volumes.remove(ID, SIGNAL);
    await backups.restore(MINE, undefined, call(target));
    const without = await failureOf(volumes.attach(MINE, SIGNAL));
    const back = await volumes.attach({ ...MINE, key: KEY }, SIGNAL);

    expect(without).toMatchObject({ code: "volume-key-missing" });
    expect(treeHash(back)).toBe(source);
  });

  it("demand 34: only a volume that no pod ever had is replaced", async () => {
    const target = await localTarget();
    const volumes = await (await volumesFolder()).open();
    const backups = backupsOf(volumes);
    const path = await volumes.attach(MINE, SIGNAL);
    await writeFile(join(path, "marker"), "from the backup");
    const backupId = await backups.backup(ID, call(target));
    await writeFile(join(path, "marker"), "newer");
    await volumes.create(BACK, SIGNAL);

    const overUsed = await failureOf(backups.restore(MINE, backupId, call(target)));
    await backups.restore(BACK, backupId, call(target));
    const overRestored = await failureOf(backups.restore(BACK, backupId, call(target)));
    await volumes.detach(MINE.podId, SIGNAL);
    const back = await volumes.attach({ ...MINE, ...BACK }, SIGNAL);

    expect([overUsed, overRestored]).toMatchObject([{ code: "volume-not-empty" }, { code: "volume-not-empty" }]);
    expect(await readFile(join(back, "marker"), "utf8")).toBe("from the backup");
  });

  it("a backup that broke off is no backup; the next one finds what was stored and uploads the rest", async () => {
    const server = await s3();
    const folder = await volumesFolder();
    const volumes = await folder.open();
    const backups = backupsOf(volumes, 3);
    const path = await volumes.attach({ ...MINE, sizeBytes: 128 * MIB }, SIGNAL);
    await fill(path, 40);
    await backups.backup(ID, call(s3Target(server)));
    const first = server.uploadedBytes;
    await writeFile(join(path, "more"), randomBytes(MIB));
    server.stalled = true;

    const broken = await failureOf(backups.backup(ID, call(s3Target(server))));
    const left = await readdir(pathsOf(folder.root, ID).dir);
    server.stalled = false;
    server.uploadedBytes = 0;
    await backups.backup(ID, call(s3Target(server)));

    expect(broken).toMatchObject({ code: "deadline-exceeded" });
    expect(left).not.toContain("backup");
    expect(first).toBeGreaterThan(35 * MIB);
    expect(server.uploadedBytes).toBeLessThan(10 * MIB);
  });

  it("a restore that breaks off leaves no volume, and nothing that is booked", async () => {
    const target = await localTarget();
    const folder = await volumesFolder();
    const volumes = await folder.open();
    const backups = backupsOf(volumes);
    const path = await volumes.attach({ ...MINE, sizeBytes: 128 * MIB }, SIGNAL);
    await fill(path, 30);
    const backupId = await backups.backup(ID, call(target));
    const booked = volumes.bookedBytes();
    const stop = new AbortController();

    const onProgress = (): void => stop.abort(new Error("enough"));
    const broken = await failureOf(backups.restore(BACK, backupId, call(target, { onProgress, signal: stop.signal })));

    expect(broken).toMatchObject({ message: "enough" });
    expect(volumes.bookedBytes()).toBe(booked);
    expect(await readdir(folder.root)).toEqual([ID]);
  });

  it("a wrong password, a wrong S3 key and a backup that is not there are told, and the volume is as it was", async () => {
    const server = await s3();
    const volumes = await (await volumesFolder()).open();
    const backups = backupsOf(volumes);
    await volumes.create(MINE, SIGNAL);
    await backups.backup(ID, call(s3Target(server)));

    const password = await failureOf(backups.backup(ID, call({ ...s3Target(server), password: "another" })));
    const key = await failureOf(
      backups.backup(ID, call({ ...s3Target(server), s3: { ...S3_KEYS, secretAccessKey: "another" } })),
    );
    const none = await failureOf(backups.restore(BACK, undefined, call(s3Target(server))));

    expect(password).toMatchObject({
      code: "backup-failed",
      details: { stderr: expect.stringContaining("wrong password") },
    });
    expect(key).toMatchObject({
      code: "backup-failed",
      details: { stderr: expect.stringContaining("SignatureDoesNotMatch") },
    });
    expect(none).toMatchObject({ code: "backup-failed" });
    expect(await viewOf(volumes)).toMatchObject({ name: "data" });
  });
});
