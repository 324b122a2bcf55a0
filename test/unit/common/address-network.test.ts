/** An attacker with a /64 of addresses is one caller, and the spelling of an address makes no second one of it. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { networkOf } from "../../../common/address-network.ts";

describe("the network of an address", () => {
  it.each([
    ["203.0.113.7", "203.0.113.7"],
    ["::ffff:203.0.113.7", "203.0.113.7"],
    ["::FFFF:203.0.113.7", "203.0.113.7"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:db8:1:2::", "2001:db8:1:2::/64"],
    ["2001:0DB8:0001:0002::9", "2001:db8:1:2::/64"],
    ["2001:db8::1", "2001:db8:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["64:ff9b::203.0.113.7", "64:ff9b:0:0::/64"],
    ["", ""],
  ])("%j is %j", (address, network) => {
    expect(networkOf(address)).toBe(network);
  });

  it("is the same for all addresses of a /64, and another for those of another", () => {
    const group = fc.integer({ min: 0, max: 0xffff });
    const groups = (length: number) => fc.array(group, { minLength: length, maxLength: length });
    fc.assert(
      fc.property(groups(4), groups(4), groups(4), (prefix, one, other) => {
        const spell = (numbers: readonly number[]) => numbers.map((n) => n.toString(16)).join(":");
        const [first, second] = [one, other].map((host) => networkOf(`${spell(prefix)}:${spell(host)}`));
        const [top = 0, ...rest] = prefix;

        expect(first).toBe(second);
        expect(networkOf(`${spell([top ^ 1, ...rest])}:${spell(one)}`)).not.toBe(first);
      }),
    );
  });
});
