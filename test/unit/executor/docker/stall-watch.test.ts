/** A pull is given up when it stands still, and never because it is slow. */
import { mkdtempSync, rmSync, writeFileSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { describe, expect, it, onTestFinished } from "vitest";

import { unfinishedBytes, watchForStall } from "../../../../executor/docker/stall-watch.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

const LIMIT_MS = 60_000;

function watching(downloadedBytes: () => Promise<number | undefined>) {
  const clock = new FakeClock();
  const over = new AbortController();
  onTestFinished(() => over.abort());
  const watch = watchForStall({ clock, limitMs: LIMIT_MS, downloadedBytes, signal: over.signal });
  return { clock, watch, over };
}

describe("a pull of which the engine says nothing", () => {
  it("has stalled after the limit", async () => {
    const { clock, watch } = watching(async () => 7);

    await clock.advance(LIMIT_MS - 1);
    expect(watch.stalled.aborted).toBe(false);
    await clock.advance(LIMIT_MS / 4);

    expect(watch.stalled.aborted).toBe(true);
  });

  it("goes on for as long as bytes come in, however few", async () => {
    let bytes = 0;
    const { clock, watch } = watching(async () => (bytes += 1));

    await clock.advance(100 * LIMIT_MS);

    expect(watch.stalled.aborted).toBe(false);
  });

  it("has stalled after the limit when the disk hangs or cannot be seen", async () => {
    const hanging = watching(() => new Promise(() => undefined));
    const hidden = watching(async () => undefined);

    await hanging.clock.advance(2 * LIMIT_MS);
    await hidden.clock.advance(2 * LIMIT_MS);

    expect(hanging.watch.stalled.aborted).toBe(true);
    expect(hidden.watch.stalled.aborted).toBe(true);
  });
});

describe("a pull of which the engine speaks", () => {
  it("goes on as long as it does", async () => {
    const { clock, watch } = watching(async () => 7);

    for (let minute = 0; minute < 10; minute += 1) {
      await clock.advance(LIMIT_MS - 1);
      watch.moved();
    }

    expect(watch.stalled.aborted).toBe(false);
  });

  it("is watched no longer once it is over", async () => {
    const { clock, watch, over } = watching(async () => 7);

    over.abort();
    await clock.advance(10 * LIMIT_MS);

    expect(watch.stalled.aborted).toBe(false);
    expect(clock.sleeping).toBe(0);
  });
});

describe("the bytes on their way", () => {
  it("are the unfinished layers in the engine's folder, and nothing else in it", async () => {
    const root = mkdtempSync(join(tmpdir(), "lium-engine-"));
    onTestFinished(() => rmSync(root, { recursive: true }));
    mkdirSync(join(root, "tmp"));
    for (const [name, size] of [
      ["GetImageBlob1", 10],
      ["GetImageBlob2", 5],
      ["other", 99],
    ] as const) {
      writeFileSync(join(root, "tmp", name), "x".repeat(size));
    }

    expect(await unfinishedBytes(root)).toBe(15);
    expect(await unfinishedBytes(join(root, "none"))).toBeUndefined();
  });
});
