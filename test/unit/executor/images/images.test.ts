/** An image for whoever needs one: one pull for all, ended by the last to leave. */
import { describe, expect, it } from "vitest";

import type { PullProgress } from "../../../../executor/images/progress.ts";
import { AppError } from "../../../../protocol/errors.ts";
import { imagesHarness, RENTER, SIGNAL } from "../../../support/images-harness.ts";

const asRenter = { ...RENTER, signal: SIGNAL };

describe("an image that is asked for", () => {
  it("is pulled once for all who ask meanwhile, by tag and by digest", async () => {
    const { images, store, serve, slowPull } = await imagesHarness();
    const reference = serve("app", { slow: true });
    const asked = Promise.all(Array.from({ length: 5 }, () => images.ensure(reference, asRenter)));

    (await slowPull()).finish();
    const given = await asked;

    expect(new Set(given.map(({ id }) => id))).toEqual(new Set(["sha256:app"]));
    expect(store.pulls).toHaveLength(1);
  });

  it("is given at once when it is here", async () => {
    const { images, store, serve } = await imagesHarness();
    await images.ensure(serve("app"), asRenter);

    await images.ensure("registry.test/app:1", asRenter);

    expect(store.pulls).toHaveLength(1);
  });

  it("is filed under its digest when it is asked for by tag and digest", async () => {
    const { images, store } = await imagesHarness();
    const digest = `sha256:${"0".repeat(64)}`;
    store.registry.set(`registry.test/app@${digest}`, { id: "sha256:app" });

    await images.ensure(`registry.test/app:1@${digest}`, asRenter);
    await images.ensure(`registry.test/app@${digest}`, asRenter);

    expect(store.pulls).toEqual([{ name: `registry.test/app@${digest}`, auth: undefined }]);
  });

  it("is missing when its pull ends well and it still is not here", async () => {
    const { images, store, serve } = await imagesHarness();
    const reference = serve("app");
    store.image = async () => undefined;

    await expect(images.ensure(reference, asRenter)).rejects.toMatchObject({ code: "image-pull-failed" });
  });
});

describe("progress", () => {
  it("reaches everybody who waits, and whoever comes late at once", async () => {
    const { images, clock, serve, slowPull } = await imagesHarness();
    const reference = serve("app", { slow: true });
    const told: PullProgress[][] = [[], [], []];
    const ask = (index: number) =>
      images.ensure(reference, { ...asRenter, onProgress: (progress) => told[index]?.push(progress) });
    const first = [ask(0), ask(1)];
    const pull = await slowPull();
    pull.tell({ doneBytes: 0, totalBytes: 100, totalIsFinal: true });
    await clock.advance(1_000);
    pull.tell({ doneBytes: 10, totalBytes: 100, totalIsFinal: true });

    const late = ask(2);
    await clock.advance(0);
    pull.finish();
    await Promise.all([...first, late]);

    const last = { doneBytes: 10, totalBytes: 100, bytesPerSecond: 10, etaSeconds: 9 };
    expect(told.map((each) => each.at(-1))).toEqual([last, last, last]);
    expect(told[2]).toHaveLength(1);
  });
});

describe("leaving", () => {
  it("does not stop the others", async () => {
    const { images, serve, slowPull } = await imagesHarness();
    const reference = serve("app", { slow: true });
    const leave = new AbortController();
    const leaving = images.ensure(reference, { ...RENTER, signal: leave.signal });
    const staying = images.ensure(reference, asRenter);
    const pull = await slowPull();

    leave.abort(new Error("terminated"));
    await expect(leaving).rejects.toThrow("terminated");
    expect(pull.signal.aborted).toBe(false);
    pull.finish();

    expect(await staying).toMatchObject({ id: "sha256:app" });
  });

  it("as the last one ends the pull, and whoever comes next begins a new one", async () => {
    const { images, store, serve, slowPull } = await imagesHarness();
    const reference = serve("app", { slow: true });
    const leaves = [new AbortController(), new AbortController()];
    const all = leaves.map(({ signal }) => images.ensure(reference, { ...RENTER, signal }).catch(() => "left"));
    const pull = await slowPull();

    for (const leave of leaves) leave.abort();
    expect(await Promise.all(all)).toEqual(["left", "left"]);
    expect(pull.signal.aborted).toBe(true);
    const again = images.ensure(reference, asRenter);
    (await slowPull()).finish();

    expect(await again).toMatchObject({ id: "sha256:app" });
    expect(store.pulls).toHaveLength(2);
  });

  it("while the next try is awaited ends the waiting", async () => {
    const { images, store, clock, serve } = await imagesHarness();
    const reference = serve("app");
    store.failNext(reference, new AppError("image-pull-failed"));
    const leave = new AbortController();
    const asked = images.ensure(reference, { ...RENTER, signal: leave.signal });
    await clock.untilSleeping();

    leave.abort(new Error("terminated"));

    await expect(asked).rejects.toThrow("terminated");
    await clock.advance(60_000);
    expect(store.pulls).toHaveLength(1);
  });
});

describe("a registry that fails", () => {
  it("is asked again after a while", async () => {
    const { images, store, clock, serve } = await imagesHarness();
    const reference = serve("app");
    const asksToWait = new AppError("image-rate-limited", { details: { retryAfterMs: 20_000 } });
    store.failNext(reference, new AppError("image-pull-failed"), asksToWait);
    const asked = images.ensure(reference, asRenter);

    await clock.untilSleeping();
    await clock.advance(1_000);
    await clock.untilSleeping();
    await clock.advance(19_000);
    expect(store.pulls).toHaveLength(2);
    await clock.advance(1_000);

    expect(await asked).toMatchObject({ id: "sha256:app" });
  });

  it("with the wrong bytes is not asked again", async () => {
    const { images, store, serve } = await imagesHarness();
    const reference = serve("app");
    store.failNext(reference, new AppError("image-digest-mismatch"));

    await expect(images.ensure(reference, asRenter)).rejects.toMatchObject({ code: "image-digest-mismatch" });
    expect(store.pulls).toHaveLength(1);
  });
});

describe("demand 10: no limit but inactivity", () => {
  it("demand 10: a registry that trickles 1 kB/s for 10 minutes succeeds", async () => {
    const { images, clock, serve, slowPull } = await imagesHarness({ config: { inactivitySeconds: 60 } });
    const asked = images.ensure(serve("app", { slow: true }), asRenter);
    const pull = await slowPull();

    for (let second = 1; second <= 600; second += 30) {
      await clock.advance(30_000);
      pull.tell({ doneBytes: second * 1_000, totalBytes: 600_000, totalIsFinal: true });
    }
    pull.finish();

    expect(await asked).toMatchObject({ id: "sha256:app" });
  });

  it("demand 10: one that stalls for 60 s fails with image-pull-stalled", async () => {
    const { images, clock, serve, slowPull } = await imagesHarness({ config: { inactivitySeconds: 60 } });
    const asked = images.ensure(serve("app", { slow: true }), asRenter);
    asked.catch(() => undefined);
    (await slowPull()).tell({ doneBytes: 1, totalBytes: 2, totalIsFinal: true });

    await clock.advance(59_000);
    expect(images.pulling).toHaveLength(1);
    await clock.advance(16_000);

    await expect(asked).rejects.toMatchObject({ code: "image-pull-stalled" });
    expect(images.pulling).toEqual([]);
  });
});

describe("an image that is being removed", () => {
  it("is given to nobody; who asks waits and then pulls it", async () => {
    const { images, store, clock, serve } = await imagesHarness();
    const reference = serve("app");
    const { id } = await images.ensure(reference, asRenter);
    await clock.advance(1);
    const gone = Promise.withResolvers<void>();
    const removal = images.retire(id, clock.monotonic(), async () => {
      await gone.promise;
      return store.remove(reference);
    });

    const asked = images.ensure(reference, asRenter);
    await clock.advance(0);
    gone.resolve();

    expect(await removal).toBe("removed");
    expect(await asked).toMatchObject({ id });
    expect(store.pulls).toHaveLength(2);
  });

  it("stays when somebody was given it after it was decided on", async () => {
    const { images, clock, serve } = await imagesHarness();
    const reference = serve("app");
    const decidedAtMs = clock.monotonic();
    await clock.advance(1);
    const { id } = await images.ensure(reference, asRenter);

    const removal = images.retire(id, decidedAtMs, () => Promise.reject(new Error("it was removed")));

    expect(await removal).toBeUndefined();
  });
});
