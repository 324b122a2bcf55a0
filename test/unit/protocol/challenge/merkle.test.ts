/** One root shows each row, in its own place, and nothing else. */
import { createHash } from "node:crypto";

import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { isBelowRoot, merkleTree, pathLength } from "../../../../protocol/challenge/merkle.ts";

const tree = fc
  .tuple(fc.integer({ min: 1, max: 70 }), fc.nat(), fc.string())
  .map(([rows, pick, salt]) => ({ rows, row: pick % rows, leaves: leavesOf(rows, salt) }));

describe("a tree over rows", () => {
  it("shows every row below its root", () => {
    fc.assert(
      fc.property(tree, ({ rows, row, leaves }) => {
        const { root, path } = merkleTree(Buffer.concat(leaves));

        expect(path(row)).toHaveLength(32 * pathLength(rows));
        expect(isBelowRoot({ root, rows, row, leaf: leaves[row]!, path: path(row) })).toBe(true);
      }),
    );
  });

  it("shows a row in no other place, and no other row in its place", () => {
    fc.assert(
      fc.property(tree, fc.nat(), ({ rows, row, leaves }, pick) => {
        const other = pick % rows;
        fc.pre(other !== row);
        const { root, path } = merkleTree(Buffer.concat(leaves));

        expect(isBelowRoot({ root, rows, row: other, leaf: leaves[row]!, path: path(row) })).toBe(false);
        expect(isBelowRoot({ root, rows, row, leaf: leaves[other]!, path: path(row) })).toBe(false);
      }),
    );
  });

  it("takes no path that is changed, shorter or longer, and no row beyond the last", () => {
    fc.assert(
      fc.property(tree, fc.nat(), ({ rows, row, leaves }, pick) => {
        fc.pre(rows > 1);
        const { root, path } = merkleTree(Buffer.concat(leaves));
        const right = path(row);
        const changed = Buffer.from(right);
        changed[pick % changed.length]! ^= 1;
        const leaf = leaves[row]!;

        for (const wrong of [changed, right.subarray(32), Buffer.concat([right, Buffer.alloc(32)])]) {
          expect(isBelowRoot({ root, rows, row, leaf, path: wrong })).toBe(false);
        }
        expect(isBelowRoot({ root, rows, row: row + 2 ** pathLength(rows), leaf, path: right })).toBe(false);
      }),
    );
  });

  it("does not pass a node off as a row", () => {
    const leaves = leavesOf(4, "");
    const { root } = merkleTree(Buffer.concat(leaves));
    const [left, right] = [leaves.slice(0, 2), leaves.slice(2)].map((pair) =>
      createHash("sha256").update(Uint8Array.of(1)).update(Buffer.concat(pair)).digest(),
    );

    expect(isBelowRoot({ root, rows: 4, row: 0, leaf: left!, path: right! })).toBe(false);
    expect(isBelowRoot({ root, rows: 2, row: 0, leaf: left!, path: right! })).toBe(true);
  });
});

function leavesOf(rows: number, salt: string): Buffer[] {
  return Array.from({ length: rows }, (_, row) => createHash("sha256").update(`${salt}/${row}`).digest());
}
