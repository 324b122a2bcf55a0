/**
 * What every EndingEngine must do. The fake passes it in the unit tests, the real Docker Engine in the e2e tests.
 */
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import type { EndingEngine } from "../../executor/docker/ending.ts";
import type { ContainerRuntime } from "../../executor/docker/runtime.ts";
import { smallContainer } from "../support/small-container.ts";

export interface EndingUnderTest {
  readonly engine: EndingEngine;
  /** Of the same engine. */
  readonly runtime: ContainerRuntime;
  readonly image: string;
}

export function endingEngineCompliance(subject: () => Promise<EndingUnderTest>): void {
  describe("an engine that ends containers", () => {
    const made: string[] = [];
    let signal = AbortSignal.timeout(60_000);
    beforeEach(() => {
      signal = AbortSignal.timeout(60_000);
    });
    const quick = { graceSeconds: 1, withinMs: 20_000 };

    async function start(hostPort?: number): Promise<EndingUnderTest & { name: string; id: string }> {
      const under = await subject();
      const name = `lium-ending-${process.pid}-${made.length}`;
      made.push(name);
      const port = hostPort === undefined ? {} : { hostPort };
      const id = await under.runtime.create(smallContainer({ name, image: under.image, ...port }), signal);
      await under.runtime.start(name, signal);
      return { ...under, name, id };
    }

    /** What the engine lists may be a moment behind what it has done. */
    async function becomes<T>(look: () => Promise<T>, holds: (seen: T) => boolean): Promise<void> {
      while (!holds(await look())) signal.throwIfAborted();
    }

    afterEach(async () => {
      const { runtime } = await subject();
      for (const name of made) await runtime.remove(name, signal);
    });

    it("finds a container by its whole name alone", async () => {
      const { engine, name, id } = await start();

      expect(await engine.find(name, signal)).toEqual({ id, state: "running" });
      expect(await engine.find(name.slice(0, -1), signal)).toBeUndefined();
      expect(await engine.find(`${name}x`, signal)).toBeUndefined();
    });

    it("stops, kills and removes, and repeating each is harmless", async () => {
      const { engine, name, id } = await start();

      await engine.stop(id, quick, signal);
      await becomes(
        () => engine.find(name, signal),
        (seen) => seen?.state === "exited",
      );
      await engine.stop(id, quick, signal);
      await engine.kill(id, quick, signal);
      await engine.remove(id, quick, signal);
      await engine.remove(id, quick, signal);
      await engine.kill(id, quick, signal);
      await engine.stop(id, quick, signal);

      expect(await engine.find(name, signal)).toBeUndefined();
    });

    it("kills at once what would take its time", async () => {
      const { engine, name, id } = await start();

      await engine.kill(id, quick, signal);

      await becomes(
        () => engine.find(name, signal),
        (seen) => seen?.state === "exited",
      );
    });

    it("removes what runs, also when asked by many at once", async () => {
      const { engine, name, id } = await start();

      await Promise.all(Array.from({ length: 5 }, () => engine.remove(id, quick, signal)));
      await becomes(
        () => engine.find(name, signal),
        (seen) => seen === undefined,
      );
    });

    it("tells the ports of what runs, with whose they are", async () => {
      // Below those that the kernel gives to connections.
      const hostPort = 27_000 + Math.floor(Math.random() * 900);
      const { engine, name, id } = await start(hostPort);

      const published = await engine.publishedPorts(signal);
      await engine.stop(id, quick, signal);

      expect(published).toContainEqual({ hostPort, protocol: "tcp", containerName: name });
      await becomes(
        () => engine.publishedPorts(signal),
        (all) => all.every(({ containerName }) => containerName !== name),
      );
    });
  });
}
