/** The record of a volume outlives the loss of one of its two files. */
import { mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, it, onTestFinished } from "vitest";

import { newRecord } from "../../../../../executor/storage/volumes/order.ts";
import { readRecord, volumeIdOf, writeRecord } from "../../../../../executor/storage/volumes/record.ts";
import { Hotkey } from "../../../../../protocol/ids.ts";
import { OWNER, T0 } from "../../../../support/builders.ts";

const order = { owner: Hotkey.parse(OWNER), name: "data" };
const record = newRecord(order, { defaultBytes: 2 ** 30, host: "this host", nowMs: T0 });

async function written(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "lium-record-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const dir = join(folder, record.volumeId);
  await writeRecord(dir, record);
  return dir;
}

it("one file of two, cut off at any byte or filled with anything, loses nothing", async () => {
  for (const name of ["volume.json", "volume.copy.json"]) {
    const dir = await written();
    const { length } = await readFile(join(dir, name));
    for (let at = length - 1; at >= 0; at -= 37) {
      await truncate(join(dir, name), at);
      expect(await readRecord(dir, record.volumeId)).toEqual(record);
    }
    await writeFile(join(dir, name), "null");
    expect(await readRecord(dir, record.volumeId)).toEqual(record);
  }
});

it("a record of another volume is none", async () => {
  const dir = await written();

  expect(await readRecord(dir, volumeIdOf(order.owner, "other"))).toBeUndefined();
});
