/** Instances never lie over each other, and lie so that the largest others still fit. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { gridOfModel, type MigGrid, profileOf } from "../../../../../executor/gpus/mig/grid.ts";
import { fits, placeBeside, type Placed } from "../../../../../executor/gpus/mig/place.ts";

const GIB = 2 ** 30;

function grid(model: string, gib: number): MigGrid {
  const found = gridOfModel(model, gib * GIB);
  if (found === undefined) throw new Error(`There is a table for ${model}.`);
  return found;
}

const H100 = grid("NVIDIA H100 80GB HBM3", 79.65);
const fewProfiles = fc.array(fc.constantFrom(...H100.profiles.map(({ name }) => name)), { maxLength: 4 });

/** Every way to put them on the grid, one after the other. */
function everyLayout(names: readonly string[], placed: readonly Placed[] = []): (readonly Placed[])[] {
  const [profile, ...others] = names;
  if (profile === undefined) return [placed];
  const starts = profileOf(H100, profile)?.starts ?? [];
  return starts
    .map((start) => [...placed, { profile, start }])
    .filter((layout) => fits(H100, layout))
    .flatMap((layout) => everyLayout(others, layout));
}

function largestBeside(layout: readonly Placed[]): number {
  const possible = H100.profiles.filter(({ name, starts }) =>
    starts.some((start) => fits(H100, [...layout, { profile: name, start }])),
  );
  return Math.max(0, ...possible.map(({ computeSlices, size }) => 100 * computeSlices + size));
}

describe("the grid of slices", () => {
  it.each([
    ["NVIDIA A100-SXM4-40GB", 39.4, ["1g.5gb", "1g.5gb+me", "1g.10gb", "2g.10gb", "3g.20gb", "4g.20gb", "7g.40gb"]],
    ["NVIDIA A100-SXM4-80GB", 80, ["1g.10gb", "1g.10gb+me", "1g.20gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb"]],
    ["NVIDIA A30", 24, ["1g.6gb", "1g.6gb+me", "2g.12gb", "4g.24gb"]],
    ["NVIDIA H100 NVL", 93.6, ["1g.12gb", "1g.12gb+me", "1g.24gb", "2g.24gb", "3g.47gb", "4g.47gb", "7g.94gb"]],
    ["NVIDIA H200", 140.4, ["1g.18gb", "1g.18gb+me", "1g.35gb", "2g.35gb", "3g.71gb", "4g.71gb", "7g.141gb"]],
    ["NVIDIA B200", 178.4, ["1g.23gb", "1g.23gb+me", "1g.45gb", "2g.45gb", "3g.90gb", "4g.90gb", "7g.180gb"]],
  ])("of %s with %d GiB has the profiles that NVIDIA lists", (model, gib, names) => {
    expect(grid(model, gib).profiles.map(({ name }) => name)).toEqual(names);
  });

  it.each([
    ["NVIDIA L40S", 48],
    ["NVIDIA A100-SXM4-80GB", 60],
  ])("of %s with %d GiB is not guessed", (model, gib) => {
    expect(gridOfModel(model, gib * GIB)).toBeUndefined();
  });
});

describe("placing", () => {
  it.each<[string, number]>([
    ["3g.40gb", 4],
    ["2g.20gb", 4],
    ["1g.10gb", 6],
    ["1g.20gb", 6],
    ["7g.80gb", 0],
  ])("puts a %s on an empty GPU at %i, so that a 4g fits where one can", (profile, start) => {
    expect(placeBeside(H100, [], [profile])).toEqual([{ profile, start }]);
  });

  it("puts the second beside the first where a larger one still fits", () => {
    expect(placeBeside(H100, [{ profile: "1g.10gb", start: 6 }], ["1g.10gb"])).toEqual([
      { profile: "1g.10gb", start: 5 },
    ]);
    expect(placeBeside(H100, [{ profile: "3g.40gb", start: 4 }], ["1g.10gb"])).toEqual([
      { profile: "1g.10gb", start: 3 },
    ]);
  });

  it.each([
    [["4g.40gb", "3g.40gb"]],
    [["3g.40gb", "2g.20gb", "1g.10gb"]],
    [["2g.20gb", "2g.20gb", "2g.20gb", "1g.10gb"]],
    [["1g.20gb", "1g.20gb", "1g.20gb", "1g.20gb"]],
    [["1g.10gb", "1g.10gb", "1g.10gb", "1g.10gb", "1g.10gb", "1g.10gb", "1g.10gb"]],
  ])("finds room for %j", (wanted) => {
    const placed = placeBeside(H100, [], wanted);

    expect(placed?.map(({ profile }) => profile).toSorted()).toEqual(wanted.toSorted());
    expect(fits(H100, placed ?? [])).toBe(true);
  });

  it.each([
    [["4g.40gb", "4g.40gb"]],
    [["3g.40gb", "4g.40gb", "1g.10gb"]],
    [["1g.10gb+me", "1g.10gb+me"]],
    [["9g.10gb"]],
  ])("finds none for %j", (wanted) => {
    expect(placeBeside(H100, [], wanted)).toBeUndefined();
  });

  it("demand 19: keeps the largest profile that any layout could keep, and fails only where every layout does", () => {
    fc.assert(
      fc.property(fewProfiles, (wanted) => {
        const layouts = everyLayout(wanted);
        const placed = placeBeside(H100, [], wanted);

        expect(placed === undefined).toBe(layouts.length === 0);
        fc.pre(placed !== undefined);
        expect(fits(H100, placed)).toBe(true);
        expect(largestBeside(placed)).toBe(Math.max(...layouts.map(largestBeside)));
      }),
    );
  });

  it("demand 19: one after the other, seven of the smallest fit in any order of arrivals and departures", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(6), { maxLength: 40 }), (departures) => {
        let kept: readonly Placed[] = [];
        for (const leaving of departures) {
          while (kept.length < 7) kept = [...kept, ...(placeBeside(H100, kept, ["1g.10gb"]) ?? [])];
          kept = kept.filter((_, at) => at !== leaving);
        }
        expect(kept.length).toBe(departures.length === 0 ? 0 : 6);
      }),
    );
  });
});
