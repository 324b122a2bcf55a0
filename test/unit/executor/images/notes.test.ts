/** What is remembered of images: as much of it as can be read, and nothing that was not written. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

import { describe, expect, it, vi } from "vitest";

import { ImageNotes } from "../../../../executor/images/notes.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { notesPath } from "../../../support/images-harness.ts";
import { loggerToMemory } from "../../../support/memory-log.ts";

const NOTE = { references: ["registry.test/a:1"], lastUsedAtMs: 1, public: true, provenBy: [] };

async function opened(path: string) {
  const { log, logged } = loggerToMemory();
  const clock = new FakeClock();
  return { notes: await ImageNotes.open(path, { clock, log }), logged, clock };
}

describe("notes", () => {
  it("outlive a restart, however many changes came at once", async () => {
    const path = notesPath();
    const { notes } = await opened(path);
    for (let index = 0; index < 50; index += 1) notes.use(`sha256:${index}`);
    notes.change("sha256:1", (note) => ({ ...note, public: true }));
    await notes.close();

    const { notes: later } = await opened(path);

    expect(later.get("sha256:1")).toMatchObject({ public: true });
    expect(later.get("sha256:49")).toMatchObject({ public: false, references: [], provenBy: [] });
  });

  it("of a use alone are written once a minute, and when the executor closes", async () => {
    const path = notesPath();
    const { notes, clock } = await opened(path);
    const written = (): number => JSON.parse(readFileSync(path, "utf8")).images["sha256:a"].lastUsedAtMs;
    notes.use("sha256:a");
    await notes.close();
    const firstMs = written();

    await clock.advance(30_000);
    notes.use("sha256:a");
    const afterHalfMs = written();
    await notes.close();
    const closedMs = written();
    await clock.advance(60_000);
    notes.use("sha256:a");
    await vi.waitFor(() => expect(written()).toBe(firstMs + 90_000));

    expect([afterHalfMs, closedMs]).toEqual([firstMs, firstMs + 30_000]);
    await notes.close();
  });

  it("that cannot be read are left out, and the others stay", async () => {
    const path = notesPath();
    const images = { "sha256:a": NOTE, "sha256:b": { ...NOTE, provenBy: "everybody" }, "sha256:c": null };
    writeFileSync(path, JSON.stringify({ version: 1, images }));

    const { notes } = await opened(path);

    expect(notes.get("sha256:a")).toEqual(NOTE);
    expect(notes.get("sha256:b")).toBeUndefined();
    expect(notes.get("sha256:c")).toBeUndefined();
  });

  it.each(["", "{", "[]", '{"version":2,"images":{}}'])(
    "in a file with %j are set aside, with a word about it",
    async (text) => {
      const path = notesPath();
      writeFileSync(path, text);

      const { notes, logged } = await opened(path);
      notes.use("sha256:a");
      await notes.close();

      const files = readdirSync(dirname(path)).filter((name) => name.startsWith("images.json"));
      expect(files).toEqual(["images.json", expect.stringMatching(/^images\.json\.damaged-\d+$/)]);
      expect(logged.join("")).toContain("set aside");
      expect(JSON.parse(readFileSync(path, "utf8"))).toMatchObject({ version: 1 });
    },
  );

  it("of images that are gone are forgotten, but not those made since it was looked", async () => {
    const { notes, clock } = await opened(notesPath());
    notes.use("sha256:here");
    notes.use("sha256:gone");
    await clock.advance(10);
    const lookedAtMs = clock.now();
    notes.use("sha256:new");

    notes.keepOnly(new Set(["sha256:here"]), lookedAtMs);

    expect(["here", "gone", "new"].map((id) => notes.get(`sha256:${id}`) !== undefined)).toEqual([true, false, true]);
    await notes.close();
  });
});
