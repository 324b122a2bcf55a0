/** The kernel's log is read as it grows; what was there before is not told again. */
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { createLogger } from "../../../../../common/logger.ts";
import { watchKernelLog } from "../../../../../executor/gpus/kernel/watch.ts";
import { FakeClock } from "../../../../support/fake-clock.ts";

const log = createLogger({ name: "test", level: "silent" });

let dir: string;
let clock: FakeClock;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "kernel-log-"));
  clock = new FakeClock();
});

afterEach(() => rmSync(dir, { recursive: true }));

interface Watched {
  readonly told: string[];
  /** Lets the watcher look once more. */
  readonly look: () => Promise<void>;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

async function watching(path: string, bootId = "boot-1"): Promise<Watched> {
  const [stop, told]: [AbortController, string[]] = [new AbortController(), []];
  const options = { path, stateFile: join(dir, "position.json"), bootId };
  const ticker = watchKernelLog(options, { clock, log, tell: ({ text }) => told.push(text) }, stop.signal);
  await clock.untilSleeping();
  const look = async (): Promise<void> => {
    await clock.advance(1_000);
    await clock.untilSleeping();
  };
  return {
    told,
    look,
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await ticker.done;
    },
  };
}

describe("a file", () => {
  it("is read from where it ends at the start, line by line", async () => {
    const path = join(dir, "log");
    writeFileSync(path, "old\n");
    await using watched = await watching(path);
    appendFileSync(path, "one\ntw");
    await watched.look();
    appendFileSync(path, "o\n\n[  1.5] three\n");
    await watched.look();

    expect(watched.told).toEqual(["one", "two", "three"]);
  });

  it("that was emptied is read from its beginning", async () => {
    const path = join(dir, "log");
    writeFileSync(path, "a rather long line that was there\n");
    await using watched = await watching(path);
    truncateSync(path);
    appendFileSync(path, "new\n");
    await watched.look();

    expect(watched.told).toEqual(["new"]);
  });

  it("of many lines is read in turns, and none is lost", async () => {
    const path = join(dir, "log");
    writeFileSync(path, "");
    await using watched = await watching(path);
    const lines = Array.from({ length: 20_000 }, (_, index) => `line ${index}`);
    appendFileSync(path, `${lines.join("\n")}\n`);
    for (let turn = 0; turn < 4; turn += 1) await watched.look();

    expect(watched.told).toEqual(lines);
  });

  it("that comes later is read from when it is there", async () => {
    const path = join(dir, "log");
    await using watched = await watching(path);
    writeFileSync(path, "");
    await watched.look();
    appendFileSync(path, "one\n");
    await watched.look();

    expect(watched.told).toEqual(["one"]);
  });
});

const KMSG = "/dev/kmsg";

function isWritable(): boolean {
  try {
    appendFileSync(KMSG, "");
    return true;
  } catch {
    return false;
  }
}

describe.runIf(existsSync(KMSG) && process.getuid?.() === 0 && isWritable())(
  "the kernel's own log (needs root)",
  () => {
    it("is told once, over restarts within a boot too", async () => {
      const mine = `lium-test ${process.pid} ${Date.now()}`;
      const told = (watched: Watched): string[] => watched.told.filter((text) => text.startsWith(mine));
      appendFileSync(KMSG, `${mine} before\n`);
      const first: string[] = [];
      {
        await using watched = await watching(KMSG);
        appendFileSync(KMSG, `${mine} one\n`);
        await watched.look();
        first.push(...told(watched));
      }
      appendFileSync(KMSG, `${mine} while it was down\n`);
      await using watched = await watching(KMSG);
      appendFileSync(KMSG, `${mine} two\n`);
      await watched.look();

      expect(first).toEqual([`${mine} one`]);
      expect(told(watched)).toEqual([`${mine} while it was down`, `${mine} two`]);
      expect(JSON.parse(readFileSync(join(dir, "position.json"), "utf8"))).toMatchObject({ bootId: "boot-1" });
    });
  },
);
