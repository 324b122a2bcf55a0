/** What is announced, when, and the bytes of it. */
import { isIPv4 } from "node:net";

import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { announcementDue } from "../../../../agent/chain/announcing.ts";
import type { AnnouncedAxon } from "../../../../agent/chain/chain.ts";
import { addressNumber, addressText } from "../../../../agent/chain/ip-number.ts";
import { encodeServeAxon, serveAxonArguments } from "../../../../agent/chain/serve-axon-call.ts";
import { metagraph, neuron } from "../../../support/chain/fake-chain.ts";
import { goldenVector, hasChainFiles } from "../../../support/chain/metadata.ts";

const WANTED = { ip: "203.0.113.7", port: 8091 };
const OWN = "5hotkey1";

function hexOf(ip: string): string {
  return `0x${encodeServeAxon(serveAxonArguments(51, { ip, port: 8091 })).toString("hex")}`;
}

describe.skipIf(!hasChainFiles)("the call (needs the golden vectors beside the project)", () => {
  it("is byte for byte what the runtime expects, for both kinds of address", () => {
    expect(hexOf("203.0.113.7")).toBe(goldenVector("serve_axon(51,9009000,203.0.113.7,8091,4,4,0,0)"));
    expect(hexOf("2001:db8::1")).toBe(goldenVector("serve_axon v6 2001:db8::1"));
  });
});

describe("an address", () => {
  it("is the number that its bytes make, and comes back from it", () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (ip) => {
        const number = addressNumber(ip);
        const family = isIPv4(ip) ? 4 : 6;
        expect(addressNumber(addressText(number ?? -1n, family))).toBe(number);
      }),
    );
    expect(addressNumber("::ffff:1.2.3.4")).toBe(0xffff_0102_0304n);
    expect(addressNumber("255.0.0.1")).toBe(0xff00_0001n);
  });

  it.each(["127.0.0.1", "::1", "0.0.0.0", "::", "lium.example", "fe80::1%eth0", ""])("%j is not announced", (ip) => {
    expect(() => serveAxonArguments(51, { ip, port: 8091 })).toThrow(/cannot be announced/);
  });
});

describe("an announcement", () => {
  const onChain: AnnouncedAxon = { ...WANTED, version: 9_009_000, protocol: 4, block: 980 };
  const due = (axon: AnnouncedAxon | undefined, wanted = WANTED) =>
    announcementDue(wanted, metagraph({ neurons: [neuron(0), neuron(1, { axon })] }), OWN);

  it("is due when the chain knows no address of ours, or another one for long enough", () => {
    expect(due(undefined)).toEqual({ do: "announce" });
    expect(due({ ...onChain, port: 1, block: 950 })).toEqual({ do: "announce" });
    expect(due({ ...onChain, version: 1, block: 0 })).toEqual({ do: "announce" });
  });

  it("is not due when nothing changed, however the address is spelled", () => {
    expect(due(onChain)).toEqual({ do: "nothing" });
    const long = { ...onChain, ip: "2001:db8:0:0:0:0:0:1" };
    expect(due(long, { ...WANTED, ip: "2001:db8::1" })).toEqual({ do: "nothing" });
  });

  it("waits for as long as the chain would refuse it", () => {
    expect(due({ ...onChain, port: 1 })).toEqual({ do: "wait", forMs: 30 * 12_000 });
  });

  it("comes after the registration", () => {
    expect(announcementDue(WANTED, metagraph({ neurons: [neuron(0)] }), OWN)).toEqual({ do: "register-first" });
  });
});
