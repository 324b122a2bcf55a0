/** The executor dies between any two steps of its work on a volume: the next one finishes the work, and no byte is lost. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { fscryptCipher } from "../../executor/storage/volumes/cipher.ts";
import { linuxTools } from "../../executor/storage/volumes/linux-tools.ts";
import { pathsOf } from "../../executor/storage/volumes/record.ts";
import type { Volumes } from "../../executor/storage/volumes/volumes.ts";
import { seededRandom } from "../support/arena/random.ts";
import { pause } from "../support/arena/wait.ts";
import {
  failureOf,
  ID,
  KEY,
  MIB,
  MINE,
  SIGNAL,
  viewOf,
  volumesFolder,
  type VolumesFolder,
} from "../support/volumes/harness.ts";
import { Died, mortal } from "../support/volumes/mortal.ts";

type Work = (volumes: Volumes) => Promise<unknown>;

const REAL = { tools: linuxTools(), cipher: fscryptCipher() };

/** For each moment at which `work` can die: a folder as `prepare` leaves it, the death, and what the next start does. */
async function atEveryMoment(
  prepare: Work,
  work: Work,
  afterwards: (folder: VolumesFolder, diedAt: string) => Promise<void>,
  step = 1,
): Promise<number> {
  for (let moment = 0; ; moment += step) {
    const folder = await volumesFolder();
    await prepare(await folder.open());
    const dying = mortal(REAL, moment);
    const outcome = await folder
      .open({}, dying)
      .then(work)
      .then(
        () => "lived",
        (error: unknown) => error,
      );
    if (outcome === "lived" && dying.diedAt === undefined) return moment;
    if (dying.diedAt === undefined) throw outcome;
    if (moment % 3 === 2) await folder.reboot();
    await afterwards(folder, dying.diedAt);
    await folder.reboot();
  }
}

const nothing: Work = async () => undefined;
const used: Work = async (volumes) => {
  const path = await volumes.attach(MINE, SIGNAL);
  await writeFile(join(path, "marker"), "precious");
  await volumes.detach(MINE.podId, SIGNAL);
};

async function markerOf(volumes: Volumes, more: { sizeBytes?: number } = {}): Promise<string> {
  const path = await volumes.attach({ ...MINE, ...more }, SIGNAL);
  return readFile(join(path, "marker"), "utf8");
}

describe("demand 34: a crash", () => {
  it("demand 34: in the making of a volume leaves none or a whole one, and nothing that is booked for ever", async () => {
    const moments = await atEveryMoment(
      nothing,
      (volumes) => volumes.attach(MINE, SIGNAL),
      async (folder, diedAt) => {
        const volumes = await folder.open();
        const path = await volumes.attach(MINE, SIGNAL);
        await writeFile(join(path, "marker"), "precious");
        await volumes.detach(MINE.podId, SIGNAL);
        await volumes.remove(ID, SIGNAL);

        const left = { diedAt, booked: volumes.bookedBytes(), files: await readdir(folder.root) };
        expect(left).toEqual({ diedAt, booked: 0, files: [] });
      },
    );

    expect(moments).toBeGreaterThan(15);
  });

  it("demand 34: in the making of an encrypted one never leaves one that is not", async () => {
    await atEveryMoment(
      nothing,
      (volumes) => volumes.attach({ ...MINE, key: KEY }, SIGNAL),
      async (folder) => {
        const volumes = await folder.open();
        const path = await volumes.attach({ ...MINE, key: KEY }, SIGNAL);
        await writeFile(join(path, "marker"), "nobody may read this line".repeat(1_000));
        await volumes.detach(MINE.podId, SIGNAL);

        const image = await readFile(pathsOf(folder.root, ID).image);
        expect(image.includes("nobody may read")).toBe(false);
        expect(await viewOf(volumes)).toMatchObject({ encrypted: true });
      },
      // Deriving the key takes its time: "before" a step is left out, which is nearly "after" the one before it.
      2,
    );
  });

  it("demand 34: while it is attached or detached loses nothing, and the pod gets it again", async () => {
    await atEveryMoment(
      used,
      async (volumes) => {
        await volumes.attach(MINE, SIGNAL);
        await volumes.detach(MINE.podId, SIGNAL);
      },
      async (folder, diedAt) => {
        const volumes = await folder.open();

        expect({ diedAt, marker: await markerOf(volumes) }).toEqual({ diedAt, marker: "precious" });
        await volumes.detach(MINE.podId, SIGNAL);
        expect(volumes.holders()).toEqual([]);
      },
    );
  });

  it("demand 34: while it grows loses nothing, and it has its new size afterwards", async () => {
    await atEveryMoment(
      used,
      (volumes) => volumes.grow(ID, 200 * MIB, SIGNAL),
      async (folder, diedAt) => {
        const volumes = await folder.open();
        const marker = await markerOf(volumes, { sizeBytes: 200 * MIB });

        const view = await viewOf(volumes);
        const free = await linuxTools().freeBytes(volumes.hostPathOf(MINE.owner, MINE.name));
        expect({ diedAt, marker, view }).toMatchObject({ marker: "precious", view: { growing: false } });
        expect(free).toBeGreaterThan(198 * MIB);
      },
    );
  });

  it("demand 34: while a snapshot is taken holds nobody up afterwards, and leaves no half of one", async () => {
    await atEveryMoment(
      async (volumes) => {
        await used(volumes);
        await volumes.attach(MINE, SIGNAL);
      },
      (volumes) => volumes.copies.snapshot(ID, SIGNAL),
      async (folder) => {
        const volumes = await folder.open();
        const path = await volumes.attach(MINE, SIGNAL);
        await writeFile(join(path, "after"), "x");

        expect(await markerOf(volumes)).toBe("precious");
        const whole = await volumes.copies.snapshots(ID);
        const { snapshots } = pathsOf(folder.root, ID);
        expect(await readdir(snapshots).catch(() => [])).toHaveLength(whole.length);
      },
    );
  });

  it("what fails is told as it is: a death is no refusal", async () => {
    const folder = await volumesFolder();
    const dying = mortal(REAL, 3);

    const failure = await failureOf(folder.open({}, dying).then((volumes) => volumes.attach(MINE, SIGNAL)));

    expect(failure).toBeInstanceOf(Died);
  });
});

describe("kill -9", () => {
  it("demand 34: at 25 random instants of work on a volume loses nothing", async () => {
    const folder = await volumesFolder();
    const random = seededRandom("1", "volumes");
    await used(await folder.open());

    for (let round = 0; round < 25; round++) {
      const child = fork(new URL("../support/volumes/victim.ts", import.meta.url), [folder.root], { silent: true });
      await working(child);
      await pause(random.int(0, 400));
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    }

    const volumes = await folder.open();
    expect(await markerOf(volumes)).toBe("precious");
    const view = await viewOf(volumes);
    expect(view?.problem).toBeUndefined();
  }, 300_000);
});

async function working(child: ChildProcess): Promise<void> {
  const [message] = await once(child, "message");
  if (message !== "working") throw new Error(String(message));
}
