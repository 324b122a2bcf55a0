/**
 * What every Networks port must do. The fake passes it in the unit tests, the real Docker Engine in the e2e tests.
 */
import { afterEach, describe, expect, it } from "vitest";

import type { Networks, NetworkSpec } from "../../executor/docker/networks.ts";

export interface NetworksUnderTest {
  readonly networks: Networks;
  /** Runs a container in a network; resolves with what ends it and leaves it there. */
  readonly run: (container: string, network: string) => Promise<() => Promise<void>>;
  /** Whether a container that does not run could be started now. */
  readonly canStart: (container: string, network: string) => Promise<boolean>;
  readonly removeContainer: (container: string) => Promise<void>;
}

export function networksCompliance(subject: () => Promise<NetworksUnderTest>): void {
  describe("an engine's networks", () => {
    const signal = AbortSignal.timeout(60_000);
    const made: string[] = [];
    const base = Math.floor(Math.random() * 200) + 20;

    /** From a range that neither pods nor the engine's defaults use. */
    function specOf(slot: number, over: Partial<NetworkSpec> = {}): NetworkSpec {
      const name = `lium-compliance-${process.pid}-${base}-${slot}`;
      made.push(name);
      const octets = `10.222.${base}`;
      return {
        name,
        subnet: `${octets}.${slot * 8}/29`,
        gateway: `${octets}.${slot * 8 + 1}`,
        bridge: `lc${base}x${slot}`,
        labels: { "lium.compliance": "yes" },
        ...over,
      };
    }

    afterEach(async () => {
      const { networks } = await subject();
      for (const name of made.splice(0)) await networks.remove(name, signal);
    });

    it("shows a network as it was made: its own bridge, closed, IPv4 alone", async () => {
      const { networks } = await subject();
      const spec = specOf(0);

      await networks.create(spec, signal);
      const seen = await networks.inspect(spec.name, signal);
      const listed = (await networks.list(signal)).find(({ name }) => name === spec.name);

      const expected = {
        name: spec.name,
        driver: "bridge",
        subnets: [spec.subnet],
        bridge: spec.bridge,
        open: false,
        ipv6: false,
        labels: spec.labels,
      };
      expect(seen).toMatchObject({ ...expected, containers: [] });
      expect(listed).toMatchObject(expected);
    });

    it("a name, a subnet and a bridge are each given once", async () => {
      const { networks } = await subject();
      const [first, other] = [specOf(0), specOf(1)];
      await networks.create(first, signal);

      for (const clash of [
        { name: first.name },
        { subnet: first.subnet, gateway: first.gateway },
        { bridge: first.bridge },
      ]) {
        const attempt = networks.create({ ...other, ...clash }, signal);
        await expect(attempt).rejects.toMatchObject({ code: "network-taken" });
      }
    });

    it("what is not there is undefined, and removing it is harmless", async () => {
      const { networks } = await subject();

      expect(await networks.inspect("lium-compliance-none", signal)).toBeUndefined();
      await networks.remove("lium-compliance-none", signal);
    });

    it("a network in which a container runs is not removed", async () => {
      const { networks, run, removeContainer } = await subject();
      const spec = specOf(2);
      await networks.create(spec, signal);
      const container = `${spec.name}-runs`;
      await run(container, spec.name);

      const seen = await networks.inspect(spec.name, signal);
      const attempt = networks.remove(spec.name, signal);

      await expect(attempt).rejects.toMatchObject({ code: "network-taken" });
      expect(seen?.containers).toEqual([container]);
      await removeContainer(container);
    });

    it("a stopped container starts again in a network that was removed and made anew, once it is attached", async () => {
      const { networks, run, canStart, removeContainer } = await subject();
      const spec = specOf(3);
      await networks.create(spec, signal);
      const container = `${spec.name}-stays`;
      const end = await run(container, spec.name);
      await end();
      await networks.remove(spec.name, signal);
      await networks.create(spec, signal);

      const before = await canStart(container, spec.name);
      await networks.attach(container, spec.name, signal);
      await networks.attach(container, spec.name, signal);
      const after = await canStart(container, spec.name);

      expect([before, after]).toEqual([false, true]);
      await removeContainer(container);
    });

    it("a stopped container moves to another network, and starts there though its own is gone", async () => {
      const { networks, run, canStart, removeContainer } = await subject();
      const [before, after] = [specOf(5), specOf(6)];
      await networks.create(before, signal);
      await networks.create(after, signal);
      const container = `${before.name}-moves`;
      const end = await run(container, before.name);
      await end();
      await networks.remove(before.name, signal);

      await networks.attach(container, after.name, signal);

      expect(await canStart(container, after.name)).toBe(true);
      await removeContainer(container);
    });

    it("attaching a container that is not there does nothing", async () => {
      const { networks } = await subject();
      const spec = specOf(4);
      await networks.create(spec, signal);

      await networks.attach(`${spec.name}-none`, spec.name, signal);

      expect((await networks.inspect(spec.name, signal))?.containers).toEqual([]);
    });
  });
}
