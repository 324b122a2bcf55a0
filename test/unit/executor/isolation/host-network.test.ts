/** What the kernel and the resolver's files say about this host's network. */
import { describe, expect, it } from "vitest";

import {
  parseInterfaces,
  parseNameServers,
  parseRoutes,
  readHostNetwork,
} from "../../../../executor/isolation/host-network.ts";

const ROUTES = `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	010200C0	0003	0	0	0	00000000	0	0	0
docker0	000011AC	00000000	0001	0	0	0	0000FFFF	0	0	0
wg0	0800D50A	00000000	0001	0	0	0	F8FFFFFF	0	0	0
`;

describe("the host's network", () => {
  it("has routes but for the default one, each with its interface", () => {
    expect(parseRoutes(ROUTES)).toEqual([
      { interfaceName: "docker0", cidr: "172.17.0.0/16" },
      { interfaceName: "wg0", cidr: "10.213.0.8/29" },
    ]);
  });

  it("has interfaces, also those that are down", () => {
    const devices = "Inter-|   Receive\n face |bytes    packets\n    lo: 1 2\nlium0ad50008: 0 0\n  eth0.5@eth0:3 4\n";

    expect(parseInterfaces(devices)).toEqual(["lo", "lium0ad50008", "eth0.5@eth0"]);
  });

  it("has name servers; those on the loopback the engine asks itself", () => {
    const text =
      "# nameserver 9.9.9.9\nnameserver 10.255.255.53\n nameserver\t8.8.8.8 \nnameserver 127.0.0.53\nnameserver fd00::1\n";

    expect(parseNameServers(text)).toEqual(["10.255.255.53", "8.8.8.8"]);
  });

  it("of this machine can be read", async () => {
    const { interfaces, routes } = await readHostNetwork();

    expect(interfaces).toContain("lo");
    expect(routes).toContainEqual({ interfaceName: "lo", cidr: "127.0.0.1/8" });
  });
});
