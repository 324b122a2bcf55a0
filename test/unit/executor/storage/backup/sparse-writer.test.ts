/** An image out of a backup, written without filling its holes. */
import { mkdtemp, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";

import fc from "fast-check";
import { expect, it, onTestFinished } from "vitest";

import { writeSparse } from "../../../../../executor/storage/backup/sparse-writer.ts";

const BLOCK = 64 * 1024;

async function zeros(bytes: number): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "lium-sparse-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, "image");
  await writeFile(file, "");
  await truncate(file, bytes);
  return file;
}

it("what is written is what came, however it was cut into pieces", async () => {
  const pieces = fc.array(fc.tuple(fc.constantFrom(0, 0, 7), fc.integer({ min: 1, max: 3 * BLOCK })), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(pieces, async (list) => {
      const chunks = list.map(([value, length]) => Buffer.alloc(length, value));
      const whole = Buffer.concat(chunks);
      const file = await zeros(whole.length);

      const options = { maxBytes: whole.length, onProgress: () => undefined };
      const bytes = await writeSparse(Readable.from(chunks), file, options);

      expect(bytes).toBe(whole.length);
      expect((await readFile(file)).equals(whole)).toBe(true);
    }),
    { numRuns: 30 },
  );
});

it("zeros take no room, and every byte is told of", async () => {
  const file = await zeros(64 * BLOCK);
  const chunks = Array.from({ length: 64 }, (_, at) => Buffer.alloc(BLOCK, at === 40 ? 1 : 0));
  const told: number[] = [];

  await writeSparse(Readable.from(chunks), file, { maxBytes: 64 * BLOCK, onProgress: (done) => told.push(done) });

  expect((await stat(file)).blocks * 512).toBeLessThanOrEqual(2 * BLOCK);
  expect(told.at(-1)).toBe(64 * BLOCK);
});

it("more than was announced is refused, and nothing lies beyond the end", async () => {
  const file = await zeros(BLOCK);

  const written = writeSparse(Readable.from([Buffer.alloc(2 * BLOCK, 1)]), file, {
    maxBytes: BLOCK,
    onProgress: () => undefined,
  });

  await expect(written).rejects.toMatchObject({ code: "backup-failed" });
  expect((await stat(file)).size).toBe(BLOCK);
});
