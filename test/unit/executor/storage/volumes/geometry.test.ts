/** How large an image must be; test/e2e/volume-limits.test.ts asks mkfs.ext4 and the kernel. */
import fc from "fast-check";
import { expect, it } from "vitest";

import { imageBytesFor, mkfsOptions } from "../../../../../executor/storage/volumes/geometry.ts";

const MIB = 2 ** 20;
const size = fc.integer({ min: 64 * MIB, max: 2 ** 44 });

it("an image is larger than what it promises, by less than a sixth, and whole blocks long", () => {
  fc.assert(
    fc.property(size, (bytes) => {
      const image = imageBytesFor(bytes, bytes);

      expect(image).toBeGreaterThan(bytes);
      expect(image).toBeLessThan(bytes * 1.17);
      expect(image % 4096).toBe(0);
    }),
  );
});

it("a volume that grows never needs a smaller image than before", () => {
  fc.assert(
    fc.property(size, size, size, (made, one, other) => {
      const [small, large] = [Math.min(one, other), Math.max(one, other)];

      expect(imageBytesFor(large, made)).toBeGreaterThanOrEqual(imageBytesFor(small, made));
    }),
  );
});

it("nothing is discarded when a file system is made, and only an encrypted one can encrypt", () => {
  expect(mkfsOptions(64 * MIB, false).join(" ")).toContain("nodiscard");
  expect(mkfsOptions(64 * MIB, false).join(" ")).not.toContain("encrypt");
  expect(mkfsOptions(64 * MIB, true).join(" ")).toContain("encrypt");
});
