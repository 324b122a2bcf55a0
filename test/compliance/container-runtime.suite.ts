/**
 * What every ContainerRuntime must do. The fake passes it in the unit tests, the real Docker Engine in the e2e tests.
 */
import { afterEach, describe, expect, it } from "vitest";

import type { ContainerRuntime, ContainerSpec, RuntimeEvent } from "../../executor/docker/runtime.ts";

export interface RuntimeUnderTest {
  readonly runtime: ContainerRuntime;
  /** A local image whose default command is anything. */
  readonly image: string;
  /** A command in that image that ends at SIGTERM and else never; one that writes a line and ends with 3. */
  readonly sleeper: readonly string[];
  readonly failing: readonly string[];
  /** Makes the failing container's end happen where nothing runs by itself. */
  readonly letEnd?: (name: string) => void;
}

const LABEL = "lium.compliance";

export function containerRuntimeCompliance(subject: () => Promise<RuntimeUnderTest>): void {
  describe("a container runtime", () => {
    const made: string[] = [];
    const signal = AbortSignal.timeout(60_000);

    function specOf(under: RuntimeUnderTest, command: readonly string[], hostPort?: number): ContainerSpec {
      const name = `lium-compliance-${process.pid}-${made.length}-${Math.random().toString(36).slice(2, 8)}`;
      made.push(name);
      return {
        name,
        Image: under.image,
        User: "0:0",
        Entrypoint: command,
        Cmd: [],
        Env: [],
        Labels: { [LABEL]: "yes" },
        Hostname: "compliance",
        ExposedPorts: hostPort === undefined ? {} : { "80/tcp": {} },
        HostConfig: {
          Init: true,
          NetworkMode: hostPort === undefined ? "none" : "bridge",
          PortBindings:
            hostPort === undefined ? {} : { "80/tcp": [{ HostIp: "127.0.0.1", HostPort: String(hostPort) }] },
          Mounts: [],
          Tmpfs: {},
          ReadonlyRootfs: false,
          Memory: 64 * 2 ** 20,
          MemorySwap: 64 * 2 ** 20,
          NanoCpus: 1_000_000_000,
          PidsLimit: 64,
          ShmSize: 2 ** 20,
          SecurityOpt: ["no-new-privileges"],
          LogConfig: { Type: "json-file", Config: {} },
          RestartPolicy: { Name: "no" },
        },
      };
    }

    afterEach(async () => {
      const { runtime } = await subject();
      for (const name of made.splice(0)) await runtime.remove(name, signal);
    });

    it("shows a container through its life: created, running, exited, gone", async () => {
      const under = await subject();
      const spec = specOf(under, under.sleeper);

      const id = await under.runtime.create(spec, signal);
      const created = await under.runtime.inspect(spec.name, signal);
      await under.runtime.start(spec.name, signal);
      const running = await under.runtime.inspect(spec.name, signal);
      await under.runtime.stop(spec.name, 2, signal);
      const exited = await under.runtime.inspect(spec.name, signal);
      await under.runtime.remove(spec.name, signal);

      expect(created).toMatchObject({
        id,
        name: spec.name,
        state: "created",
        startedAtMs: undefined,
        labels: spec.Labels,
      });
      expect(running).toMatchObject({ id, state: "running", startedAtMs: expect.any(Number) });
      expect(exited).toMatchObject({
        state: "exited",
        startedAtMs: running?.startedAtMs,
        finishedAtMs: expect.any(Number),
      });
      expect(await under.runtime.inspect(spec.name, signal)).toBeUndefined();
    });

    it("repeating start, stop and remove is harmless", async () => {
      const under = await subject();
      const spec = specOf(under, under.sleeper);
      await under.runtime.create(spec, signal);

      await under.runtime.start(spec.name, signal);
      const first = await under.runtime.inspect(spec.name, signal);
      await under.runtime.start(spec.name, signal);
      const second = await under.runtime.inspect(spec.name, signal);
      await under.runtime.stop(spec.name, 1, signal);
      await under.runtime.stop(spec.name, 1, signal);
      await under.runtime.remove(spec.name, signal);
      await under.runtime.remove(spec.name, signal);
      await under.runtime.stop(spec.name, 1, signal);

      expect(second?.startedAtMs).toBe(first?.startedAtMs);
    });

    it("a start after a stop is a new start", async () => {
      const under = await subject();
      const spec = specOf(under, under.sleeper);
      await under.runtime.create(spec, signal);
      await under.runtime.start(spec.name, signal);
      const first = await under.runtime.inspect(spec.name, signal);

      await under.runtime.stop(spec.name, 1, signal);
      await under.runtime.start(spec.name, signal);
      const second = await under.runtime.inspect(spec.name, signal);

      expect(second?.state).toBe("running");
      expect(second?.startedAtMs).not.toBe(first?.startedAtMs);
    });

    it("a running container can be removed", async () => {
      const under = await subject();
      const spec = specOf(under, under.sleeper);
      await under.runtime.create(spec, signal);
      await under.runtime.start(spec.name, signal);

      await under.runtime.remove(spec.name, signal);

      expect(await under.runtime.inspect(spec.name, signal)).toBeUndefined();
    });

    it("two containers cannot have one name", async () => {
      const under = await subject();
      const spec = specOf(under, under.sleeper);
      await under.runtime.create(spec, signal);

      await expect(under.runtime.create(spec, signal)).rejects.toMatchObject({ code: "name-taken" });
    });

    it("two containers cannot publish one port", async () => {
      const under = await subject();
      // Below those that the kernel gives to connections.
      const hostPort = 29_000 + Math.floor(Math.random() * 900);
      const [first, second] = [specOf(under, under.sleeper, hostPort), specOf(under, under.sleeper, hostPort)];
      await under.runtime.create(first, signal);
      await under.runtime.create(second, signal);
      await under.runtime.start(first.name, signal);

      await expect(under.runtime.start(second.name, signal)).rejects.toMatchObject({ code: "port-busy" });
    });

    it("an exit is told as an event, with its code to be seen", async () => {
      const under = await subject();
      const spec = specOf(under, under.failing);
      await under.runtime.create(spec, signal);
      const stop = new AbortController();
      const died = waitForEvent(under.runtime.events(LABEL, stop.signal), spec.name, "die");

      await under.runtime.start(spec.name, signal);
      under.letEnd?.(spec.name);
      await died;
      stop.abort();

      expect(await under.runtime.inspect(spec.name, signal)).toMatchObject({
        state: "exited",
        exitCode: 3,
        oomKilled: false,
      });
    });

    it("lists every container with the label in any state, and no other", async () => {
      const under = await subject();
      const [a, b] = [specOf(under, under.sleeper), specOf(under, under.sleeper)];
      const stranger = { ...specOf(under, under.sleeper), Labels: {} };
      for (const spec of [a, b, stranger]) await under.runtime.create(spec, signal);
      await under.runtime.start(a.name, signal);

      const names = (await under.runtime.list(LABEL, signal)).map(({ name }) => name);

      expect(names).toEqual(expect.arrayContaining([a.name, b.name]));
      expect(names).not.toContain(stranger.name);
    });
  });
}

async function waitForEvent(events: AsyncIterable<RuntimeEvent>, name: string, action: string): Promise<void> {
  for await (const event of events) if (event.containerName === name && event.action === action) return;
}
