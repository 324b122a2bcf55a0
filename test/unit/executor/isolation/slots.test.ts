/** Slots never overlap: not each other, not the host's routes, not what others on the machine hold. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { formatAddress, formatCidr, overlaps, parseCidr } from "../../../../executor/isolation/cidr.ts";
import { chooseSlot, gatewayOf, slotAt, slotCount, slotOfSubnet } from "../../../../executor/isolation/slots.ts";

const POOL = "10.213.0.0/16";

const cidr = fc
  .tuple(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.integer({ min: 8, max: 32 }))
  .map(([first, prefix]) => formatCidr(parseCidr(`${formatAddress(first)}/${prefix}`)));
/** Ranges in and around a small pool, so that they often meet its slots. */
const nearby = fc
  .tuple(fc.integer({ min: -64, max: 320 }), fc.integer({ min: 22, max: 32 }))
  .map(([offset, prefix]) =>
    formatCidr(parseCidr(`${formatAddress(parseCidr("10.9.8.0/24").first + offset)}/${prefix}`)),
  );

describe("a range", () => {
  it("reads as it is written", () => {
    fc.assert(fc.property(cidr, (text) => formatCidr(parseCidr(text)) === text));
  });

  it.each(["", "10.0.0.0", "10.0.0/8", "256.0.0.0/8", "10.0.0.0/33", "::/0", "10.0.0.0/8 ", "a.b.c.d/8"])(
    "%j is refused",
    (text) => {
      expect(() => parseCidr(text)).toThrow(RangeError);
    },
  );
});

describe("a slot", () => {
  it("is a network of eight addresses, whose name and bridge say which", () => {
    expect(slotAt(POOL, 1)).toEqual({ name: "lium-net-10-213-0-8", subnet: "10.213.0.8/29", bridge: "lium0ad50008" });
    expect(gatewayOf(slotAt(POOL, 1))).toBe("10.213.0.9");
    expect(slotCount(POOL)).toBe(8192);
  });

  it("fits a Linux interface's name wherever the pool is", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 255 }), (octet) => slotAt(`${octet}.0.0.0/8`, 0).bridge.length <= 15),
    );
  });

  it("is known again by its subnet, and nothing else is taken for one", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 8191 }), (index) => {
        expect(slotOfSubnet(slotAt(POOL, index).subnet)).toEqual(slotAt(POOL, index));
      }),
    );
    expect([slotOfSubnet("10.213.0.0/24"), slotOfSubnet("10.213.0.4/29")]).toEqual([undefined, undefined]);
  });

  it("there is none beyond the pool", () => {
    expect(() => slotAt(POOL, 8192)).toThrow(RangeError);
    expect(() => slotAt(POOL, -1)).toThrow(RangeError);
    expect(slotCount("10.0.0.0/30")).toBe(0);
  });
});

describe("chooseSlot", () => {
  it("overlaps nothing that is taken or busy, and lies in the pool", () => {
    fc.assert(
      fc.property(fc.array(nearby, { maxLength: 12 }), fc.array(nearby, { maxLength: 12 }), (taken, busy) => {
        const pool = "10.9.8.0/24";

        const chosen = chooseSlot({ pool, taken, busy, spares: [] });

        const used = [...taken, ...busy].map(parseCidr);
        const isFree = (subnet: string): boolean => !used.some((range) => overlaps(range, parseCidr(subnet)));
        const free = Array.from({ length: slotCount(pool) }, (_, index) => slotAt(pool, index)).filter(({ subnet }) =>
          isFree(subnet),
        );
        expect(chosen).toEqual(free[0]);
      }),
    );
  });

  it("gives each of many pods a slot of its own until the pool is used up", () => {
    const pool = "10.9.8.0/26";
    const taken: string[] = [];
    for (let slot = chooseSlot({ pool, taken, busy: [], spares: [] }); slot !== undefined;) {
      expect(taken).not.toContain(slot.subnet);
      taken.push(slot.subnet);
      slot = chooseSlot({ pool, taken, busy: [], spares: [] });
    }

    expect(taken).toHaveLength(slotCount(pool));
  });

  it("prefers a spare network, unless it is taken or somebody else's route runs through it", () => {
    const [first, second, third] = [slotAt(POOL, 5), slotAt(POOL, 6), slotAt(POOL, 7)];
    const spares = [first, second, third];

    const choice = chooseSlot({ pool: POOL, taken: [first.subnet], busy: ["10.213.0.48/30"], spares });

    expect(choice).toEqual(third);
  });
});
