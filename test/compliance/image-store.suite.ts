/**
 * What every ImageStore must do. The fake passes it in the unit tests, the real Docker Engine in the e2e tests.
 */
import { describe, expect, it } from "vitest";

import type { EngineProgress, ImageStore, RegistryAuth } from "../../executor/docker/image-store.ts";

export interface ImageStoreUnderTest {
  readonly store: ImageStore;
  /** An image that a registry gives to everybody, and that is not here; another one each time. */
  readonly fresh: () => Promise<string>;
  /** One that a registry gives for these credentials alone. */
  readonly guarded: () => Promise<{ readonly reference: string; readonly auth: RegistryAuth }>;
  /** One of which the registry sends a part and then nothing. */
  readonly stalling: () => Promise<string>;
  /** A name that no registry has. */
  readonly missing: string;
  /** Makes a container of an image, without starting it. Resolves with what removes it. */
  readonly use: (reference: string) => Promise<() => Promise<void>>;
}

export function imageStoreCompliance(subject: () => Promise<ImageStoreUnderTest>): void {
  const signal = AbortSignal.timeout(60_000);
  const quiet = { onProgress: () => undefined, inactivityMs: 10_000, signal };

  describe("an image store", () => {
    it("brings an image here, under its name and its digest", async () => {
      const { store, fresh } = await subject();
      const reference = await fresh();

      const before = await store.image(reference, signal);
      await store.pull(reference, quiet);
      const image = await store.image(reference, signal);
      const listed = (await store.list(signal)).find(({ id }) => id === image?.id);

      expect(before).toBeUndefined();
      expect(image?.digests).toEqual([expect.stringMatching(/@sha256:[0-9a-f]{64}$/)]);
      expect(listed).toMatchObject({ references: [reference], digests: image?.digests });
      expect(listed?.sizeBytes).toBeGreaterThan(0);
      expect(await store.image(image?.digests[0] ?? "", signal)).toEqual(image);
      await store.remove(reference, signal);
    });

    it("asks the registry also for what is here", async () => {
      const { store, fresh } = await subject();
      const reference = await fresh();
      await store.pull(reference, quiet);
      const image = await store.image(reference, signal);

      await store.pull(reference, quiet);

      expect(await store.image(reference, signal)).toEqual(image);
      await store.remove(reference, signal);
    });

    it("an image goes with its name, and removing it again is harmless", async () => {
      const { store, fresh } = await subject();
      const reference = await fresh();
      await store.pull(reference, quiet);
      const id = (await store.image(reference, signal))?.id;

      expect(await store.remove(reference, signal)).toBe("removed");
      expect(await store.remove(reference, signal)).toBe("removed");

      expect((await store.list(signal)).map((image) => image.id)).not.toContain(id);
    });

    it("an image that a container is made of is in use and stays", async () => {
      const { store, fresh, use } = await subject();
      const reference = await fresh();
      await store.pull(reference, quiet);
      const id = (await store.image(reference, signal))?.id;
      const release = await use(reference);

      const used = await store.inUse(signal);
      const outcome = await store.remove(reference, signal);
      await release();

      expect(used).toContain(id);
      expect(outcome).toBe("in-use");
      expect(await store.inUse(signal)).not.toContain(id);
      expect(await store.remove(reference, signal)).toBe("removed");
    });

    it("says when no registry has the name", async () => {
      const { store, missing } = await subject();

      await expect(store.pull(missing, quiet)).rejects.toMatchObject({ code: "image-not-found" });
    });

    it("shows credentials to the registry, and says when they are missing or wrong", async () => {
      const { store, guarded } = await subject();
      const { reference, auth } = await guarded();

      await expect(store.pull(reference, quiet)).rejects.toMatchObject({ code: "image-auth-failed" });
      const wrong = { ...quiet, auth: { ...auth, password: "wrong" } };
      await expect(store.pull(reference, wrong)).rejects.toMatchObject({ code: "image-auth-failed" });
      await store.pull(reference, { ...quiet, auth });

      expect(await store.image(reference, signal)).toBeDefined();
      await store.remove(reference, signal);
    });

    it("gives up a pull in which nothing moves, and leaves nothing of it", async () => {
      const { store, stalling } = await subject();
      const reference = await stalling();

      const pull = store.pull(reference, { ...quiet, inactivityMs: 400 });

      await expect(pull).rejects.toMatchObject({ code: "image-pull-stalled" });
      expect(await store.image(reference, signal)).toBeUndefined();
    });

    it("ends a pull as soon as its signal aborts, with the signal's reason", async () => {
      const { store, stalling } = await subject();
      const stop = new AbortController();
      const told: EngineProgress[] = [];
      const reason = new Error("the pod is terminated");
      const options = { ...quiet, onProgress: (sum: EngineProgress) => told.push(sum), signal: stop.signal };
      const pull = store.pull(await stalling(), options);

      stop.abort(reason);

      await expect(pull).rejects.toBe(reason);
    });
  });
}
