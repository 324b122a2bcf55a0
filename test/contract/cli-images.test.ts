/** `lium-executor images`, from the command through the real server and client to the images of the host. */
import { join } from "node:path";

import { Command } from "commander";
import { expect, it, onTestFinished } from "vitest";

import { createOutput } from "../../common/cli/output.ts";
import { createHttpClient } from "../../common/http-client.ts";
import { DEFAULT_LIMITS } from "../../common/http-limits.ts";
import { createHttpServer } from "../../common/http-server.ts";
import { addImagesCommands } from "../../executor/cli/images.ts";
import { imageHandlers } from "../../executor/control/images.ts";
import { HOST_OPERATOR } from "../../executor/control/server.ts";
import { AppError } from "../../protocol/errors.ts";
import { imageRoutes } from "../../protocol/host-api/images.ts";
import { imagesHarness, type ImagesHarness, notesPath, RENTER, SIGNAL } from "../support/images-harness.ts";
import { loggerToMemory } from "../support/memory-log.ts";

const DAY_MS = 24 * 3_600_000;
const CONFIG = { pinned: ["registry.test/pinned:1"], prePull: ["registry.test/ahead:1"] };

/** What the program prints for these arguments. */
async function run(harness: ImagesHarness, args: readonly string[], json = false): Promise<string> {
  const socketPath = join(notesPath(), "../control.sock");
  const server = await createHttpServer({
    routes: imageRoutes,
    handlers: imageHandlers({ ...harness, config: CONFIG }),
    authenticate: () => HOST_OPERATOR,
    limits: DEFAULT_LIMITS,
    log: loggerToMemory().log,
  });
  onTestFinished(() => server.close());
  await server.listen({ socketPath });
  const client = createHttpClient(imageRoutes, { at: { socketPath }, timeoutMs: 5_000 });
  onTestFinished(() => client.close());
  let printed = "";
  const sink = { write: (text: string) => (printed += text) };
  const host = { stdout: sink, stderr: sink, env: {}, clock: harness.clock, interrupted: () => SIGNAL };
  const program = new Command();
  addImagesCommands(program, {
    output: createOutput(host, json),
    add: (parent, name, description) => parent.command(name).description(description).option("--config <file>"),
    withHost: (_config, work) => work(client),
    interrupted: () => SIGNAL,
  });
  await program.parseAsync(["images", ...args], { from: "user" });
  return printed;
}

/** A disk that is 90 % full, with an old image, a new one and a pinned one. */
async function fullHost(): Promise<ImagesHarness> {
  const harness = await imagesHarness({ config: CONFIG });
  for (const name of ["pinned", "old", "new"]) {
    await harness.images.ensure(harness.serve(name, { sizeBytes: 20 * 2 ** 20 }), { ...RENTER, signal: SIGNAL });
    await harness.clock.advance(DAY_MS / 2);
  }
  const total = 100 * 2 ** 20;
  harness.disk = () => ({
    bytes: { used: total * (harness.store.has("sha256:old") ? 0.9 : 0.7), total },
    inodes: { used: 10, total: 100 },
  });
  return harness;
}

it("list shows every image, why it stays, what is being pulled, and how full the disk is", async () => {
  const harness = await imagesHarness({ config: CONFIG });
  await harness.images.ensure(harness.serve("pinned", { sizeBytes: 20 * 2 ** 20 }), { ...RENTER, signal: SIGNAL });
  harness.store.build("built:1", "sha256:built", 2 ** 20);
  const rented = harness.images.ensure(harness.serve("rented", { slow: true }), { ...RENTER, signal: SIGNAL });
  const pull = await harness.slowPull();
  pull.tell({ doneBytes: 2 ** 20, totalBytes: 2 ** 22, totalIsFinal: true });
  await harness.collector.start();
  onTestFinished(() => harness.collector.close());

  const printed = await run(harness, ["list"]);
  pull.finish();
  await rented;

  expect(printed).toContain("Disk: 10 % of 0.0 MiB in use.");
  expect(printed).toContain("pulling registry.test/rented:1 for a renter: 1.0 MiB of 4.0 MiB");
  expect(printed).toMatch(/registry\.test\/pinned:1 +20\.0 MiB +2026-01-01T00:00:00\.000Z +pinned/);
  expect(printed).toMatch(/library\/built:1 +1\.0 MiB +\S+ +foreign/);
});

it("gc --dry-run says what would go and removes nothing; gc removes it", async () => {
  const harness = await fullHost();

  const dry = await run(harness, ["gc", "--dry-run"]);
  const removedByDry = [...harness.store.removed];
  const done = await run(harness, ["gc"]);
  const again = await run(harness, ["gc"]);

  expect(dry).toMatch(/^1 images would be removed\. Disk: 90 % of 100\.0 MiB, 10 % of the inodes in use\.\n/);
  expect(dry).toMatch(/registry\.test\/old:1 +20\.0 MiB/);
  expect(removedByDry).toEqual([]);
  expect(done).toMatch(/^1 images were removed\. Before: Disk: 90 % .* After: Disk: 70 %/);
  expect(harness.store.has("sha256:old")).toBe(false);
  expect(again).toMatch(/^Nothing to remove\. Disk: 70 %/);
});

it("pins shows what the configuration keeps at hand, and whether it is here", async () => {
  const harness = await imagesHarness({ config: CONFIG });
  await harness.images.ensure(harness.serve("ahead"), { ...RENTER, signal: SIGNAL });

  const printed = JSON.parse(await run(harness, ["pins"], true));

  expect(printed).toEqual({
    pins: [
      { reference: "registry.test/pinned:1", prePull: false, here: false },
      { reference: "registry.test/ahead:1", prePull: true, here: true },
    ],
  });
});

it("pull shows how far it is, and at last the image", async () => {
  const harness = await imagesHarness();
  const printing = run(harness, ["pull", harness.serve("app", { slow: true })], true);
  const pull = await until(() => harness.store.slow[0]);
  pull.tell({ doneBytes: 1, totalBytes: 2, totalIsFinal: true });
  await new Promise((resolve) => setImmediate(resolve));
  pull.finish();

  const lines = (await printing)
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

  expect(lines[0]).toEqual({ progress: { doneBytes: 1, totalBytes: 2 } });
  expect(lines.at(-1)).toEqual({ imageId: "sha256:app" });
});

it("pull says what the registry refuses", async () => {
  const harness = await imagesHarness();
  const reference = harness.serve("app");
  harness.store.failNext(reference, new AppError("image-auth-failed"));

  await expect(run(harness, ["pull", reference])).rejects.toMatchObject({ code: "image-auth-failed" });
});

async function until<T>(read: () => T | undefined): Promise<T> {
  for (;;) {
    const value = read();
    if (value !== undefined) return value;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
