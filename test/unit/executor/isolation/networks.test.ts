/** Pods' networks over the fake engine: whose they are, which is chosen, which are kept ready and which go. */
import { beforeEach, describe, expect, it } from "vitest";

import type { HostNetwork } from "../../../../executor/isolation/host-network.ts";
import { NETWORK_LABEL, PodNetworks } from "../../../../executor/isolation/networks.ts";
import { slotAt } from "../../../../executor/isolation/slots.ts";
import { networksCompliance } from "../../../compliance/networks.suite.ts";
import { FakeNetworks } from "../../../support/fake-networks.ts";
import { loggerToMemory } from "../../../support/memory-log.ts";

const POOL = "10.213.0.0/24";
const signal = new AbortController().signal;
const slot = (index: number) => slotAt(POOL, index);

describe("the fake", () => {
  const engine = new FakeNetworks();

  networksCompliance(async () => ({
    networks: engine,
    run: async (container, network) => {
      engine.run(container, network);
      return async () => engine.end(container);
    },
    canStart: async (container, network) => engine.attached.get(container) === engine.networks.get(network)?.id,
    removeContainer: async (container) => engine.end(container),
  }));
});

describe("pods' networks", () => {
  let engine: FakeNetworks;
  let host: HostNetwork;
  let pods: PodNetworks;

  beforeEach(() => {
    engine = new FakeNetworks();
    host = { routes: [], interfaces: new Set(), nameServers: [] };
    pods = podNetworks("host-a");
  });

  /** Of one executor; the host's interfaces follow from the engine's networks, as on a machine. */
  function podNetworks(hostId: string, spares = 0): PodNetworks {
    const readHostNetwork = async (): Promise<HostNetwork> => {
      const bridges = [...engine.networks.values()].flatMap(({ bridge }) => bridge ?? []);
      return { ...host, interfaces: new Set([...host.interfaces, ...bridges]) };
    };
    return new PodNetworks(
      { pool: POOL, spares, hostId },
      { networks: engine, readHostNetwork, log: loggerToMemory().log },
    );
  }

  it("are made once, with labels that say whose they are", async () => {
    await pods.ensure(slot(1), "pod", signal);
    await pods.ensure(slot(1), "pod", signal);

    const { name, subnet, bridge } = slot(1);
    expect([...engine.networks.values()]).toMatchObject([
      { name, subnets: [subnet], bridge, open: false, labels: { [NETWORK_LABEL]: subnet, "lium.host": "host-a" } },
    ]);
  });

  it("are made again when somebody removed them", async () => {
    await pods.ensure(slot(1), "pod", signal);
    engine.networks.clear();

    await pods.ensure(slot(1), "pod", signal);

    expect(engine.networks.has(slot(1).name)).toBe(true);
  });

  it.each([
    ["another executor's", { labels: { "lium.host": "host-b" } }],
    ["nobody's", { labels: {} }],
    ["one whose containers reach each other", { open: true }],
    ["one with IPv6", { ipv6: true }],
    ["one with another range", { subnets: ["10.213.0.16/29"] }],
    ["one with another bridge", { bridge: "br0" }],
    ["of another driver", { driver: "macvlan" }],
  ])("are never %s", async (_, over) => {
    const { name, subnet, bridge } = slot(1);
    const sound = { name, subnets: [subnet], bridge, open: false, labels: { "lium.host": "host-a" } };
    engine.add({ ...sound, ...over });

    await expect(pods.ensure(slot(1), "pod", signal)).rejects.toMatchObject({ code: "network-taken" });
  });

  it("serve one container alone", async () => {
    await pods.ensure(slot(1), "pod", signal);
    engine.run("stranger", slot(1).name);

    await expect(pods.ensure(slot(1), "pod", signal)).rejects.toMatchObject({ code: "network-taken" });
    expect(pods.choose([slot(0).subnet])).toEqual(slot(2));
  });

  it("are not made over an interface that is there already, with who knows what attached to it", async () => {
    host = { ...host, interfaces: new Set([slot(1).bridge]) };

    await expect(pods.ensure(slot(1), "pod", signal)).rejects.toMatchObject({ code: "network-taken" });
    expect(engine.networks.size).toBe(0);
  });

  it("of an engine that lives in another network than this host's firewall are refused", async () => {
    const elsewhere = new PodNetworks(
      { pool: POOL, spares: 0, hostId: "host-a" },
      { networks: engine, readHostNetwork: async () => host, log: loggerToMemory().log },
    );

    await expect(elsewhere.ensure(slot(1), "pod", signal)).rejects.toMatchObject({ code: "isolation-unavailable" });
  });

  it("avoid the host's routes and other networks of the engine, once they were seen", async () => {
    host = { ...host, routes: [{ cidr: "10.213.0.0/28", interfaceName: "wg0" }] };
    engine.add({ name: "theirs", subnets: ["10.213.0.16/29", "fd00::/64"] });

    const before = pods.choose([]);
    await pods.keepSpares(() => [], signal);

    expect([before, pods.choose([])]).toEqual([slot(0), slot(3)]);
  });

  it("do not avoid the routes of our own bridges", async () => {
    pods = podNetworks("host-a", 1);
    await pods.keepSpares(() => [], signal);
    host = { ...host, routes: [{ cidr: slot(0).subnet, interfaceName: slot(0).bridge }] };

    await pods.keepSpares(() => [], signal);

    expect(pods.choose([])).toEqual(slot(0));
  });

  it("are kept ready beside those that pods hold; what is too many goes, and what pods hold stays", async () => {
    pods = podNetworks("host-a", 2);
    const held = slot(0).subnet;
    await pods.keepSpares(() => [held], signal);
    const ready = [...engine.networks.keys()];
    pods = podNetworks("host-a", 1);
    await pods.ensure(slot(0), "pod", signal);
    await pods.keepSpares(() => [held], signal);

    expect(ready).toEqual([slot(1).name, slot(2).name]);
    expect([...engine.networks.keys()].toSorted()).toEqual([slot(0).name, slot(1).name]);
  });

  it("are not removed while a container runs in them, and those of others never", async () => {
    await pods.ensure(slot(1), "unknown", signal);
    engine.run("unknown", slot(1).name);
    await podNetworks("host-b").ensure(slot(2), "other", signal);

    await pods.keepSpares(() => [], signal);

    expect([...engine.networks.keys()]).toEqual([slot(1).name, slot(2).name]);
  });

  it("of a pool that is no longer configured go first", async () => {
    await pods.ensure(slotAt("10.99.0.0/24", 3), "gone", signal);

    await podNetworks("host-a", 1).keepSpares(() => [], signal);

    expect([...engine.networks.keys()]).toEqual([slot(0).name]);
  });

  it("that are lent are chosen for nobody else, neither count as ready nor are too many, and come back", async () => {
    pods = podNetworks("host-a", 1);
    await pods.keepSpares(() => [], signal);
    const loan = pods.lend([]);

    const meanwhile = [pods.choose([]), pods.lend([])?.network];
    await pods.keepSpares(() => [], signal);
    const ready = [...engine.networks.keys()];
    loan?.end();

    expect(loan?.network).toEqual(slot(0));
    expect(meanwhile).toEqual([slot(1), slot(1)]);
    expect(ready).toEqual([slot(0).name, slot(2).name]);
    expect(pods.choose([])).toEqual(slot(0));
  });

  it("are lent only while one is free", () => {
    expect(pods.lend([POOL])).toBeUndefined();
  });

  it("of two executors on one machine are different ones", async () => {
    const [a, b] = [podNetworks("host-a", 2), podNetworks("host-b", 2)];

    await a.keepSpares(() => [], signal);
    await b.keepSpares(() => [], signal);

    expect(engine.networks.size).toBe(4);
    expect(a.choose([])).not.toEqual(b.choose([]));
  });
});
