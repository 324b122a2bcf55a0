/**
 * What every StrayObjects must do. The fake passes it in the unit tests, the real Docker Engine in the e2e tests.
 */
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import type { StrayObjects } from "../../executor/docker/stray-objects.ts";

export interface StrayObjectsUnderTest {
  readonly objects: StrayObjects;
  readonly makeVolume: (name: string, labels: Record<string, string>) => Promise<void>;
  readonly makeNetwork: (name: string, labels: Record<string, string>) => Promise<void>;
  /** A container in that network with that volume, made and never started. */
  readonly makeContainer: (name: string, made: { network: string; volume: string }) => Promise<void>;
  readonly removeContainer: (name: string) => Promise<void>;
}

const LABELS = { "lium.test": "1" };

export function strayObjectsCompliance(subject: () => Promise<StrayObjectsUnderTest>): void {
  describe("what lies about in an engine", () => {
    let signal = AbortSignal.timeout(60_000);
    let name = "";
    beforeEach(() => {
      signal = AbortSignal.timeout(60_000);
      name = `lium-strays-${process.pid}-${Math.random().toString(36).slice(2, 8)}`;
    });
    afterEach(async () => {
      const { objects, removeContainer } = await subject();
      await removeContainer(name);
      await objects.removeVolume(name, signal);
      await objects.removeNetwork(name, signal);
    });

    it("is listed with labels and age, and a container with what it needs although it never ran", async () => {
      const { objects, makeVolume, makeNetwork, makeContainer } = await subject();
      await makeVolume(name, LABELS);
      await makeNetwork(name, LABELS);
      await makeContainer(name, { network: name, volume: name });

      const { containers, volumes, networks } = await objects.list(signal);

      const thing = { name, labels: LABELS, createdAtMs: expect.any(Number) };
      expect(volumes).toContainEqual(thing);
      expect(networks).toContainEqual(thing);
      expect(containers.find((container) => container.name === name)).toMatchObject({
        state: "created",
        createdAtMs: expect.any(Number),
        networks: [name],
        volumes: [name],
      });
    });

    it("goes when it serves nobody, and removing it again is harmless", async () => {
      const { objects, makeVolume, makeNetwork } = await subject();
      await makeVolume(name, LABELS);
      await makeNetwork(name, LABELS);

      for (let round = 0; round < 2; round += 1) {
        await objects.removeVolume(name, signal);
        await objects.removeNetwork(name, signal);
      }

      const { volumes, networks } = await objects.list(signal);
      expect([...volumes, ...networks].map((thing) => thing.name)).not.toContain(name);
    });

    it("stays when a container needs it: a volume is refused", async () => {
      const { objects, makeVolume, makeNetwork, makeContainer } = await subject();
      await makeVolume(name, LABELS);
      await makeNetwork(name, LABELS);
      await makeContainer(name, { network: name, volume: name });

      await expect(objects.removeVolume(name, signal)).rejects.toMatchObject({ code: "engine-error" });

      const { volumes } = await objects.list(signal);
      expect(volumes.map((volume) => volume.name)).toContain(name);
    });
  });
}
