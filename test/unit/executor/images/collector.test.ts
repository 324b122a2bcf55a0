/** Making room on the engine's disk: what goes, what stays, when it stops, and when the host says that it is full. */
import { describe, expect, it } from "vitest";

import { AppError } from "../../../../protocol/errors.ts";
import { imagesHarness, type ImagesHarness, RENTER, SIGNAL } from "../../../support/images-harness.ts";

const DAY_MS = 24 * 3_600_000;
const asRenter = { ...RENTER, signal: SIGNAL };
const doIt = { dryRun: false, signal: SIGNAL };

/** A disk of 100 bytes, filled by the images and something else. */
function fill(harness: ImagesHarness, otherBytes: number): void {
  const sizes = new Map([...harness.store.registry.values()].map(({ id, sizeBytes = 1 }) => [id, sizeBytes]));
  harness.disk = () => {
    const here = [...sizes].filter(([id]) => harness.store.has(id)).map(([, size]) => size);
    return { bytes: { used: otherBytes + here.reduce((sum, size) => sum + size, 0), total: 100 }, inodes: undefined };
  };
}

/** Images of 10 bytes each, last used one day after the other. */
async function withImages(...names: readonly string[]): Promise<ImagesHarness> {
  const harness = await imagesHarness();
  for (const name of names) {
    await harness.images.ensure(harness.serve(name, { sizeBytes: 10 }), asRenter);
    await harness.clock.advance(DAY_MS);
  }
  return harness;
}

describe("a disk beyond the high mark", () => {
  it("is brought down to the low mark, what was used longest ago first", async () => {
    const harness = await withImages("a", "b", "c", "d");
    await harness.images.local("registry.test/a:1", RENTER, SIGNAL);
    await harness.clock.advance(DAY_MS);
    fill(harness, 50);

    const { removed, after } = await harness.collector.collect(doIt);

    expect(removed.map(({ id }) => id)).toEqual(["sha256:b", "sha256:c"]);
    expect(after.bytes.used).toBe(70);
  });

  it("keeps what containers, pods, the operator and pulls need, and what others brought here", async () => {
    const harness = await imagesHarness({ config: { pinned: ["registry.test/pinned:1"] } });
    const { store, images, clock } = harness;
    for (const name of ["stopped", "wanted", "pinned"]) {
      await images.ensure(harness.serve(name, { sizeBytes: 10 }), asRenter);
    }
    const [alice, bob] = ["alice", "bob"].map((owner) => ({ owner, auth: { username: owner, password: "p" } }));
    await images.ensure(harness.serve("again"), { ...RENTER, ...alice, signal: SIGNAL });
    store.pulledByOthers("registry.test/theirs:1", "sha256:theirs");
    store.containers.set("stopped", "sha256:stopped");
    harness.wanted.push("registry.test/wanted:1");
    await clock.advance(DAY_MS);
    const pull = images.ensure(harness.serve("again", { slow: true }), { ...RENTER, ...bob, signal: SIGNAL });
    await harness.slowPull();
    fill(harness, 90);

    const { removed } = await harness.collector.collect(doIt);
    const standings = (await harness.collector.list(SIGNAL)).map(({ id, standing }) => [id, standing]);
    (await harness.slowPull()).finish();
    await pull;

    expect(removed).toEqual([]);
    expect(Object.fromEntries(standings)).toEqual({
      "sha256:stopped": "in-use",
      "sha256:wanted": "in-use",
      "sha256:pinned": "pinned",
      "sha256:again": "pulling",
      "sha256:theirs": "foreign",
    });
  });

  it("keeps an image that somebody named otherwise, too", async () => {
    const harness = await withImages("a");
    harness.store.build("theirs:1", "sha256:a", 10);
    fill(harness, 90);

    const { removed } = await harness.collector.collect(doIt);

    expect(removed).toEqual([]);
  });

  it("loses what others brought here only where the operator says so", async () => {
    const harness = await imagesHarness({ config: { gc: { foreign: true } } });
    harness.store.pulledByOthers(harness.serve("theirs", { sizeBytes: 10 }), "sha256:theirs", 10);
    fill(harness, 85);
    await harness.collector.list(SIGNAL);
    await harness.clock.advance(DAY_MS);

    const { removed } = await harness.collector.collect(doIt);

    expect(removed.map(({ id }) => id)).toEqual(["sha256:theirs"]);
  });

  it("loses nothing in a dry run, which tells the same as it then does", async () => {
    const harness = await withImages("a", "b", "c", "d");
    fill(harness, 50);

    const told = await harness.collector.collect({ dryRun: true, signal: SIGNAL });
    const before = (await harness.store.list()).length;
    const done = await harness.collector.collect(doIt);

    expect(before).toBe(4);
    expect(told.removed.map(({ id }) => id)).toEqual(done.removed.map(({ id }) => id));
  });

  it("keeps an image that is given to somebody in the middle of it", async () => {
    const harness = await withImages("a", "b", "c", "d");
    fill(harness, 50);
    const remove = harness.store.remove.bind(harness.store);
    harness.store.remove = async (name) => {
      await harness.images.local("registry.test/b:1", RENTER, SIGNAL);
      return remove(name);
    };

    const { removed } = await harness.collector.collect(doIt);

    expect(removed.map(({ id }) => id)).toEqual(["sha256:a", "sha256:c"]);
  });
});

describe("what a pull left behind when the engine died", () => {
  async function afterCrash(): Promise<ImagesHarness> {
    const harness = await withImages("a");
    const reference = harness.serve("cut", { slow: true });
    const asked = harness.images.ensure(reference, asRenter);
    (await harness.slowPull()).fail(new AppError("engine-unavailable"));
    await expect(asked).rejects.toMatchObject({ code: "engine-unavailable" });
    const filedAtMs = harness.clock.now();
    harness.store.leftovers = { layers: 2, sizeBytes: 30, filedAtMs, repository: "registry.test/cut" };
    await harness.clock.advance(DAY_MS);
    return harness;
  }

  it("goes first", async () => {
    const harness = await afterCrash();
    harness.disk = () => ({ bytes: { used: 60 + harness.store.leftovers.sizeBytes, total: 100 }, inodes: undefined });

    const told = await harness.collector.collect({ dryRun: true, signal: SIGNAL });
    const { removed, leftovers } = await harness.collector.collect(doIt);

    expect(told.leftovers).toEqual({ layers: 2, sizeBytes: 30 });
    expect(leftovers).toEqual({ layers: 2, sizeBytes: 30 });
    expect(removed).toEqual([]);
  });

  it("stays while the disk has room, for the next try", async () => {
    const harness = await afterCrash();
    harness.disk = () => ({ bytes: { used: 80, total: 100 }, inodes: undefined });

    expect((await harness.collector.collect(doIt)).leftovers.layers).toBe(0);
    expect(harness.store.leftovers.layers).toBe(2);
  });

  it("stays while something is being pulled, and when a later pull has finished it", async () => {
    const harness = await afterCrash();
    fill(harness, 90);
    const asked = harness.images.ensure("registry.test/cut:1", asRenter);
    const pull = await harness.slowPull();

    const during = await harness.collector.collect(doIt);
    pull.finish();
    await asked;
    const after = await harness.collector.collect(doIt);

    expect([during.leftovers.layers, after.leftovers.layers]).toEqual([0, 0]);
  });

  it("is not looked for after a pull that ended in words", async () => {
    const harness = await withImages("a");
    harness.store.failNext(harness.serve("b"), new AppError("image-digest-mismatch"));
    await expect(harness.images.ensure("registry.test/b:1", asRenter)).rejects.toMatchObject({});

    expect(harness.notes.unfinished).toEqual([]);
  });
});

describe("a disk up to the high mark", () => {
  it("keeps everything", async () => {
    const harness = await withImages("a", "b");
    fill(harness, 65);

    expect((await harness.collector.collect(doIt)).removed).toEqual([]);
  });
});

describe("a disk that cannot be measured", () => {
  it("keeps everything, and is not said to be full", async () => {
    const harness = await withImages("a");
    harness.disk = () => undefined;

    await expect(harness.collector.collect(doIt)).rejects.toMatchObject({ code: "deadline-exceeded" });
    expect(harness.collector.pressure()).toBeUndefined();
    expect(harness.collector.hasRoom()).toBe(false);
  });

  it("is as full as it was", async () => {
    const harness = await imagesHarness();
    fill(harness, 96);
    await harness.collector.start();

    harness.disk = () => undefined;
    await harness.clock.advance(30_000);

    expect(harness.collector.pressure()).toMatchObject({ code: "disk-low" });
    await harness.collector.close();
  });
});

describe("a disk that is nearly full", () => {
  it("says so from the first moment on, by bytes or by inodes, and no longer once there is room", async () => {
    const harness = await imagesHarness();
    harness.disk = () => ({ bytes: { used: 10, total: 100 }, inodes: { used: 96, total: 100 } });
    await harness.collector.start();
    const first = harness.collector.pressure();

    fill(harness, 96);
    await harness.clock.advance(30_000);
    const second = harness.collector.pressure();
    fill(harness, 94);
    await harness.clock.advance(30_000);

    expect(first).toMatchObject({ code: "disk-low", details: { percent: { bytes: 10, inodes: 96 } } });
    expect(second).toMatchObject({ code: "disk-low", message: expect.stringContaining("96 % full") });
    expect(harness.collector.pressure()).toBeUndefined();
    await harness.collector.close();
  });
});

describe("the last use of an image", () => {
  it("is when its last container was seen", async () => {
    const harness = await withImages("a", "b");
    harness.store.containers.set("pod", "sha256:a");
    await harness.collector.list(SIGNAL);
    harness.store.containers.delete("pod");

    const [a, b] = await harness.collector.list(SIGNAL);

    expect(a?.lastUsedAtMs).toBeGreaterThan(b?.lastUsedAtMs ?? Infinity);
  });

  it("is now when it was noted before the clock was set back", async () => {
    const harness = await withImages("a");
    harness.clock.jump(-10 * DAY_MS);

    const [a] = await harness.collector.list(SIGNAL);

    expect(a?.lastUsedAtMs).toBe(harness.clock.now());
  });
});
