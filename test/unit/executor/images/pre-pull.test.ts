/** Images that are brought here ahead of time: never while a renter waits for another one. */
import { describe, expect, it, onTestFinished } from "vitest";

import { PrePull } from "../../../../executor/images/pre-pull.ts";
import { AppError } from "../../../../protocol/errors.ts";
import { imagesHarness, type ImagesHarness, RENTER, SIGNAL } from "../../../support/images-harness.ts";
import { loggerToMemory } from "../../../support/memory-log.ts";

const asRenter = { ...RENTER, signal: SIGNAL };
const EVERY_MS = 600_000;

async function started(harness: ImagesHarness, references: readonly string[], hasRoom = true): Promise<PrePull> {
  const { log } = loggerToMemory();
  const deps = { images: harness.images, hasRoom: () => hasRoom, clock: harness.clock, log, random: () => 0 };
  const prePull = new PrePull({ references, everyMs: EVERY_MS }, deps);
  prePull.start();
  onTestFinished(() => prePull.close());
  await harness.clock.advance(0);
  return prePull;
}

function pulledNames(harness: ImagesHarness): string[] {
  return harness.store.pulls.map(({ name }) => name.replace("registry.test/", "").replace(":1", ""));
}

describe("images of the list", () => {
  it("are pulled one after the other, without credentials, and once", async () => {
    const harness = await imagesHarness();
    await started(harness, [harness.serve("a"), harness.serve("b")]);

    await harness.clock.advance(3 * EVERY_MS);

    expect(pulledNames(harness)).toEqual(["a", "b"]);
    expect(harness.store.pulls.every(({ auth }) => auth === undefined)).toBe(true);
  });

  it("are pulled again when they are gone", async () => {
    const harness = await imagesHarness();
    const reference = harness.serve("a");
    await started(harness, [reference]);
    await harness.clock.advance(EVERY_MS / 2);
    await harness.store.remove(reference);

    await harness.clock.advance(EVERY_MS);

    expect(pulledNames(harness)).toEqual(["a", "a"]);
  });

  it("that cannot be had do not keep the others away", async () => {
    const harness = await imagesHarness();
    const broken = harness.serve("broken");
    harness.store.failNext(broken, new AppError("image-not-found"));

    await started(harness, [broken, harness.serve("b")]);

    expect(pulledNames(harness)).toEqual(["broken", "b"]);
  });

  it("wait while the disk has no room for them", async () => {
    const harness = await imagesHarness();

    await started(harness, [harness.serve("a")], false);

    expect(harness.store.pulls).toEqual([]);
  });
});

describe("a renter who needs another image", () => {
  it("makes the list wait at once, and it goes on later", async () => {
    const harness = await imagesHarness();
    await started(harness, [harness.serve("list", { slow: true })]);
    const ahead = await harness.slowPull();

    const rented = harness.images.ensure(harness.serve("rented", { slow: true }), asRenter);
    const pull = await harness.slowPull();
    await harness.clock.advance(30_000);
    expect(ahead.signal.aborted).toBe(true);
    expect(pulledNames(harness)).toEqual(["list", "rented"]);
    pull.finish();
    await rented;
    await harness.clock.advance(60_000);

    expect(pulledNames(harness)).toEqual(["list", "rented", "list"]);
  });

  it("is not disturbed by a list that begins meanwhile", async () => {
    const harness = await imagesHarness();
    const rented = harness.images.ensure(harness.serve("rented", { slow: true }), asRenter);
    const pull = await harness.slowPull();

    await started(harness, [harness.serve("list")]);
    expect(pulledNames(harness)).toEqual(["rented"]);
    pull.finish();
    await rented;
    await harness.clock.advance(0);

    expect(pulledNames(harness)).toEqual(["rented", "list"]);
  });
});

describe("a renter who needs the image that is being pulled", () => {
  it("gets it from that pull", async () => {
    const harness = await imagesHarness();
    const reference = harness.serve("list", { slow: true });
    await started(harness, [reference]);

    const rented = harness.images.ensure(reference, asRenter);
    (await harness.slowPull()).finish();
    await rented;

    expect(pulledNames(harness)).toEqual(["list"]);
  });
});

describe("a renter who leaves the pull that is ahead of time, too", () => {
  it("does not end it", async () => {
    const harness = await imagesHarness();
    const reference = harness.serve("list", { slow: true });
    await started(harness, [reference]);
    const pull = await harness.slowPull();
    const leave = new AbortController();
    const rented = harness.images.ensure(reference, { ...RENTER, signal: leave.signal });
    await harness.clock.advance(0);

    leave.abort(new Error("terminated"));

    await expect(rented).rejects.toThrow("terminated");
    expect(pull.signal.aborted).toBe(false);
  });
});

describe("closing", () => {
  it("ends the pull that is under way, and a wait for renters", async () => {
    const busy = await imagesHarness();
    const pulling = await started(busy, [busy.serve("list", { slow: true })]);
    const pull = await busy.slowPull();
    const waiting = await imagesHarness();
    const rented = waiting.images.ensure(waiting.serve("rented", { slow: true }), asRenter);
    await waiting.slowPull();
    const patient = await started(waiting, [waiting.serve("list")]);

    await Promise.all([pulling.close(), patient.close()]);
    (await waiting.slowPull()).finish();
    await rented;

    expect(pull.signal.aborted).toBe(true);
    expect(pulledNames(waiting)).toEqual(["rented"]);
  });
});
