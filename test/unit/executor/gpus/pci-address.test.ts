/** Every source's way of writing a PCI address ends in the kernel's. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { firstFunction, formatPciAddress, pciAddress } from "../../../../executor/gpus/pci-address.ts";

describe("pciAddress", () => {
  it.each([
    ["00000000:53:00.0", "0000:53:00.0"],
    ["0000:2A:00.0", "0000:2a:00.0"],
    ["2a:00.0", "0000:2a:00.0"],
    ["PCI:0000:17:00", "0000:17:00.0"],
    ["10000:01:00.0", "10000:01:00.0"],
    ["0:7:0.0", "0000:07:00.0"],
  ])("reads %s", (text, address) => {
    expect(pciAddress(text)).toBe(address);
  });

  it.each(["", "N/A", "[Unknown Error]", "53", "0000:53:20.0", "0000:53:00.8"])("refuses %s", (text) => {
    expect(pciAddress(text)).toBeUndefined();
  });

  it("reads back what it writes", () => {
    const numbers = fc.record({
      domain: fc.nat(0xfffff),
      bus: fc.nat(255),
      device: fc.nat(31),
      fn: fc.nat(7),
    });
    fc.assert(
      fc.property(numbers, (place) => {
        const address = formatPciAddress(place);

        expect(pciAddress(address.toUpperCase())).toBe(address);
        expect(firstFunction(address)).toBe(formatPciAddress({ ...place, fn: 0 }));
      }),
    );
  });
});
