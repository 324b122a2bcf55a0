/** Which images go: enough to make room, the least recently used first, and never one that somebody needs. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { decide, type GcInput, type HeldImage, removable, standingOf } from "../../../../executor/images/gc.ts";

const MARKS = { high: 85, low: 75, refuse: 95 };
const NOW_MS = 1_000_000;

function image(id: string, over: Partial<HeldImage> = {}): HeldImage {
  return { id, names: [`registry.test/${id}:1`], sizeBytes: 10, lastUsedAtMs: 0, ours: true, ...over };
}

function input(over: Partial<GcInput> = {}): GcInput {
  return {
    images: [],
    inUse: new Set(),
    pinned: new Set(),
    pulling: new Set(),
    usage: { bytes: { used: 90, total: 100 }, inodes: undefined },
    thresholds: { bytes: MARKS, inodes: MARKS },
    minAgeMs: 1_000,
    foreign: false,
    nowMs: NOW_MS,
    ...over,
  };
}

function idsOf(images: readonly HeldImage[]): string[] {
  return images.map(({ id }) => id);
}

describe("an image stays", () => {
  it.each<[string, Partial<HeldImage>, Partial<GcInput>]>([
    ["in-use", {}, { inUse: new Set(["a"]) }],
    ["pinned", {}, { pinned: new Set(["registry.test/a:1"]) }],
    ["pulling", {}, { pulling: new Set(["registry.test/a:1"]) }],
    ["foreign", { ours: false }, {}],
    ["young", { lastUsedAtMs: NOW_MS - 999 }, {}],
    ["young", { lastUsedAtMs: NOW_MS + 5_000 }, {}],
  ])("when it is %s", (standing, over, context) => {
    expect(standingOf(image("a", over), input(context))).toBe(standing);
  });
});

describe("an image may go", () => {
  it("when nobody needs it", () => {
    expect(standingOf(image("a"), input())).toBe("removable");
  });

  it("when others brought it here and the operator allows that", () => {
    expect(standingOf(image("a", { ours: false }), input({ foreign: true }))).toBe("removable");
  });
});

describe("what goes now", () => {
  const images = [
    image("new", { lastUsedAtMs: 300 }),
    image("old", { lastUsedAtMs: 100 }),
    image("mid", { lastUsedAtMs: 200 }),
  ];

  it("is nothing up to the high mark", () => {
    const usage = { bytes: { used: 85, total: 100 }, inodes: { used: 85, total: 100 } };

    expect(decide(input({ images, usage }))).toEqual([]);
  });

  it("is what was not used for longest, as much as is needed to come down to the low mark", () => {
    expect(idsOf(decide(input({ images })))).toEqual(["old", "mid"]);
  });

  it("depends on inodes as much as on bytes", () => {
    const usage = { bytes: { used: 30, total: 100 }, inodes: { used: 90, total: 100 } };

    expect(idsOf(decide(input({ images, usage })))).toEqual(["old"]);
  });

  it("is never an image that somebody needs, however full the disk is", () => {
    const held = fc.record({
      id: fc.constantFrom("a", "b", "c", "d", "e", "f"),
      sizeBytes: fc.nat(50),
      lastUsedAtMs: fc.integer({ min: -5_000, max: NOW_MS + 5_000 }),
      ours: fc.boolean(),
    });
    const ids = fc.uniqueArray(fc.constantFrom("a", "b", "c", "d", "e", "f"));
    const names = ids.map((some) => new Set(some.map((id) => `registry.test/${id}:1`)));
    const fill = fc.record({ used: fc.nat(100), total: fc.constant(100) });
    const inputs = fc.record({
      images: fc.uniqueArray(held, { selector: ({ id }) => id }).map((some) => some.map((one) => image(one.id, one))),
      inUse: ids.map((some) => new Set(some)),
      pinned: names,
      pulling: names,
      usage: fc.record({ bytes: fill, inodes: fc.option(fill, { nil: undefined }) }),
      foreign: fc.boolean(),
    });
    fc.assert(
      fc.property(inputs, (over) => {
        const all = input(over);
        const going = decide(all);

        for (const one of going) {
          expect(all.inUse).not.toContain(one.id);
          expect(all.pinned).not.toContain(one.names[0]);
          expect(all.pulling).not.toContain(one.names[0]);
          expect(one.ours || all.foreign).toBe(true);
          expect(all.nowMs - one.lastUsedAtMs).toBeGreaterThanOrEqual(all.minAgeMs);
        }
        expect(idsOf(going)).toEqual(idsOf(removable(all)).slice(0, going.length));
      }),
    );
  });
});
