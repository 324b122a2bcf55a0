/** `lium-executor volumes`, from the command through the real server and client to the volumes of the host. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Command } from "commander";
import { expect, it, onTestFinished } from "vitest";

import { createOutput } from "../../common/cli/output.ts";
import { systemClock } from "../../common/clock.ts";
import { createHttpClient } from "../../common/http-client.ts";
import { DEFAULT_LIMITS } from "../../common/http-limits.ts";
import { createHttpServer } from "../../common/http-server.ts";
import { addVolumesCommands } from "../../executor/cli/volumes.ts";
import { HOST_OPERATOR } from "../../executor/control/server.ts";
import { volumeHandlers, type VolumesControl } from "../../executor/control/volumes.ts";
import { newRecord } from "../../executor/storage/volumes/order.ts";
import { volumeIdOf } from "../../executor/storage/volumes/record.ts";
import { AppError } from "../../protocol/errors.ts";
import { volumeRoutes } from "../../protocol/host-api/volumes.ts";
import { Hotkey } from "../../protocol/ids.ts";
import { type BackupTarget, SnapshotId, type VolumeView } from "../../protocol/volume.ts";
import { OWNER, podId, T0 } from "../support/builders.ts";
import { loggerToMemory } from "../support/memory-log.ts";

const GIB = 2 ** 30;
const ID = volumeIdOf(Hotkey.parse(OWNER), "data");
const SNAPSHOT = SnapshotId.parse("snap-20260101T000000000Z");
const BACKUP = "0123abcd";
const VIEW: VolumeView = {
  volumeId: ID,
  owner: Hotkey.parse(OWNER),
  name: "data",
  sizeBytes: 10 * GIB,
  bookedBytes: 11 * GIB,
  growing: false,
  encrypted: true,
  createdAt: new Date(T0).toISOString(),
  podId: podId(1),
  snapshots: 1,
  setAside: [],
};

interface Asked {
  readonly verb: string;
  readonly what: unknown;
}

/** Volumes that note what is asked of them; `refusal` is what every change is answered with. */
function control(asked: Asked[], refusal?: AppError): VolumesControl {
  const note = <T>(verb: string, what: unknown, answer: T): Promise<T> => {
    asked.push({ verb, what });
    return refusal === undefined ? Promise.resolve(answer) : Promise.reject(refusal);
  };
  const order = { owner: Hotkey.parse(OWNER), name: "data" };
  const record = newRecord(order, { defaultBytes: GIB, host: "this host", nowMs: T0 });
  return {
    volumes: {
      list: () => Promise.resolve([VIEW]),
      bookedBytes: () => 11 * GIB,
      create: (what) => note("create", what, record),
      grow: (id, bytes) => note("grow", [id, bytes], record),
      remove: (id) => note("remove", id, undefined),
      copies: {
        snapshot: (id) => note("snapshot", id, SNAPSHOT),
        snapshots: () =>
          Promise.resolve([{ snapshotId: SNAPSHOT, createdAt: "2026-01-01T00:00:00.000Z", diskBytes: GIB }]),
        removeSnapshot: (id, snapshot) => note("remove snapshot", [id, snapshot], undefined),
      },
    },
    backups: {
      backup: (id, { target, onProgress }) => {
        onProgress({ doneBytes: GIB, totalBytes: 2 * GIB });
        return note("backup", [id, target], BACKUP);
      },
      restore: (what, id, { target }) => note("restore", [what, id, target], record),
    },
  };
}

interface Ran {
  readonly printed: string;
  readonly asked: readonly Asked[];
  readonly failure: unknown;
}

/** The program with these arguments. */
async function run(
  args: readonly string[],
  over: { env?: Record<string, string>; refusal?: AppError; json?: boolean } = {},
): Promise<Ran> {
  const folder = await mkdtemp(join(tmpdir(), "lium-cli-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const socketPath = join(folder, "control.sock");
  const asked: Asked[] = [];
  const server = await createHttpServer({
    routes: volumeRoutes,
    handlers: volumeHandlers(control(asked, over.refusal)),
    authenticate: () => HOST_OPERATOR,
    limits: DEFAULT_LIMITS,
    log: loggerToMemory().log,
  });
  onTestFinished(() => server.close());
  await server.listen({ socketPath });
  const client = createHttpClient(volumeRoutes, { at: { socketPath }, timeoutMs: 5_000 });
  onTestFinished(() => client.close());
  let printed = "";
  const sink = { write: (text: string) => (printed += text) };
  const interrupted = (): AbortSignal => new AbortController().signal;
  const host = { stdout: sink, stderr: sink, env: over.env ?? {}, clock: systemClock(), interrupted };
  const program = new Command().exitOverride().configureOutput({ writeErr: () => undefined });
  addVolumesCommands(program, {
    output: createOutput(host, over.json ?? false),
    add: (parent, name, description) => parent.command(name).description(description).option("--config <file>"),
    withHost: (_config, work) => work(client),
    host,
  });
  const failure = await program.parseAsync(["volumes", ...args], { from: "user" }).then(
    () => undefined,
    (error: unknown) => error,
  );
  return { printed, asked, failure };
}

const SECRETS = { RESTIC_PASSWORD: "p", AWS_ACCESS_KEY_ID: "id", AWS_SECRET_ACCESS_KEY: "secret" };
const REPOSITORY = "s3:https://s3.example/bucket/path";
const TARGET: BackupTarget = {
  repository: REPOSITORY,
  password: "p",
  s3: { accessKeyId: "id", secretAccessKey: "secret" },
};

it("list shows who has each volume, and what all take of the disk", async () => {
  const [text, json] = [await run(["list"]), await run(["list"], { json: true })];

  expect(text.printed).toMatch(new RegExp(`${ID} +data +${OWNER} +10 GiB +11 GiB +yes +1 +${podId(1)}`));
  expect(text.printed).toContain("11 GiB of the disk are set aside for volumes.");
  expect(JSON.parse(json.printed)).toEqual({ volumes: [VIEW], bookedBytes: 11 * GIB });
});

it("create takes a size as people write it, and the key from a file", async () => {
  const folder = await mkdtemp(join(tmpdir(), "lium-key-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, "key");
  await writeFile(file, Buffer.alloc(32, 0xff));

  const { asked, printed } = await run(["create", OWNER, "data", "--size", "1.5GiB", "--key-file", file]);

  const key = Buffer.alloc(32, 0xff);
  expect(asked).toEqual([{ verb: "create", what: { owner: OWNER, name: "data", sizeBytes: 1.5 * GIB, key } }]);
  expect(printed).toContain(ID);
});

it("a key that is too short is refused before anybody sees it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "lium-key-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, "key"), "short");

  const { asked, failure } = await run(["create", OWNER, "data", "--key-file", join(folder, "key")]);

  expect(failure).toMatchObject({ code: "invalid-request" });
  expect(asked).toEqual([]);
});

it("grow, snapshot, snapshots and remove name the volume; what is for ever must be said twice", async () => {
  const grown = await run(["grow", ID, "40GiB"]);
  const taken = await run(["snapshot", ID]);
  const listed = await run(["snapshots", ID, "--remove", SNAPSHOT]);
  const unsure = await run(["remove", ID]);
  const removed = await run(["remove", ID, "--yes"]);

  expect(grown.asked).toEqual([{ verb: "grow", what: [ID, 40 * GIB] }]);
  expect(taken.printed).toBe(`${SNAPSHOT}\n`);
  expect(listed.asked).toEqual([{ verb: "remove snapshot", what: [ID, SNAPSHOT] }]);
  expect(listed.printed).toMatch(/snap-20260101T000000000Z +2026-01-01T00:00:00.000Z +1 GiB/);
  expect(unsure.asked).toEqual([]);
  expect(unsure.failure).toMatchObject({ code: "commander.missingMandatoryOptionValue" });
  expect(removed.asked).toEqual([{ verb: "remove", what: ID }]);
});

it("backup and restore take their secrets from the environment and tell how far they are", async () => {
  const stored = await run(["backup", ID, "--to", REPOSITORY], { env: SECRETS });
  const lines = await run(["backup", ID, "--to", REPOSITORY], { env: SECRETS, json: true });
  const restored = await run(["restore", OWNER, "data", "--from", REPOSITORY, "--backup", BACKUP], { env: SECRETS });

  expect(stored.asked).toEqual([{ verb: "backup", what: [ID, TARGET] }]);
  expect(stored.printed).toBe(`1 GiB of 2 GiB\n${BACKUP}\n`);
  expect(
    lines.printed
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line)),
  ).toEqual([{ progress: { doneBytes: GIB, totalBytes: 2 * GIB } }, { backupId: BACKUP }]);
  expect(restored.asked).toEqual([{ verb: "restore", what: [{ owner: OWNER, name: "data" }, BACKUP, TARGET] }]);
  expect(restored.printed).toContain(ID);
});

it.each([
  ["no password", REPOSITORY, {}],
  ["half of the S3 keys", REPOSITORY, { RESTIC_PASSWORD: "p", AWS_ACCESS_KEY_ID: "id" }],
  ["a repository that is an option of ssh", "sftp:-oProxyCommand=sh", SECRETS],
  ["a repository that is an option of restic", "--password-command=sh", SECRETS],
])("a backup with %s is refused", async (_what, repository, env) => {
  const { asked, failure } = await run(["backup", ID, `--to=${repository}`], { env });

  expect(failure).toMatchObject({ code: "invalid-request" });
  expect(asked).toEqual([]);
});

it.each([["data"], ["vol-1"], [`${ID}/../x`]])("%s is no volume's id", async (text) => {
  const { asked, failure } = await run(["grow", text, "40GiB"]);

  expect(failure).toMatchObject({ code: "commander.invalidArgument" });
  expect(asked).toEqual([]);
});

it("a refusal comes with its code and what it names", async () => {
  const refusal = new AppError("volume-in-use", { details: { podId: podId(1) } });

  const removed = await run(["remove", ID, "--yes"], { refusal });
  const stored = await run(["backup", ID, "--to", REPOSITORY], { env: SECRETS, refusal });

  expect(removed.failure).toMatchObject({ code: "volume-in-use", details: { podId: podId(1) } });
  expect(stored.failure).toMatchObject({ code: "volume-in-use" });
});
