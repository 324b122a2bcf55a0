/** A plan reaches the wanted geometry, keeps what already fits, and never touches a GPU that is in use. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { gridOfModel } from "../../../../../executor/gpus/mig/grid.ts";
import { fits, placeBeside, type Placed } from "../../../../../executor/gpus/mig/place.ts";
import {
  type Geometry,
  type GeometryPlan,
  type Instance,
  planGeometry,
} from "../../../../../executor/gpus/mig/plan.ts";

const grid = gridOfModel("NVIDIA H100 80GB HBM3", 80 * 2 ** 30);
const empty: Geometry = { mode: "on", grid, present: [], wanted: ["3g.40gb"], before: undefined, users: [] };

function instances(...placed: Placed[]): Instance[] {
  return placed.map((one, at) => ({ ...one, id: at + 1 }));
}

function at(profile: string, start: number): Placed {
  return { profile, start };
}

function after(present: readonly Instance[], plan: GeometryPlan): Placed[] {
  if (plan.kind !== "cut") return [...present];
  return [...present.filter(({ id }) => !plan.destroy.includes(id)), ...plan.create];
}

const layouts = fc
  .array(fc.constantFrom("1g.10gb", "1g.20gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb"), {
    minLength: 1,
    maxLength: 7,
  })
  .map((wanted) => (grid === undefined ? undefined : placeBeside(grid, [], wanted)))
  .filter((layout) => layout !== undefined);

describe("the plan for a GPU", () => {
  it("reaches every geometry that fits from every other, and then has nothing left to do", () => {
    fc.assert(
      fc.property(layouts, layouts, fc.boolean(), (from, to, remembers) => {
        const wanted = to.map(({ profile }) => profile);
        const present = instances(...from);
        const before = remembers ? to : undefined;
        const result = after(present, planGeometry({ ...empty, present, wanted, before }));

        expect(grid !== undefined && fits(grid, result)).toBe(true);
        expect(planGeometry({ ...empty, present: instances(...result), wanted, before })).toEqual({ kind: "done" });
      }),
    );
  });

  it("does nothing to a GPU that anybody uses, whatever is wanted of it", () => {
    fc.assert(
      fc.property(layouts, layouts, fc.constantFrom("on", "off", "pending"), (from, to, mode) => {
        const wanted = to.map(({ profile }) => profile);
        const plan = planGeometry({ ...empty, mode, present: instances(...from), wanted, users: ["process 7"] });

        expect(["done", "in-use", "reset-required"]).toContain(plan.kind);
      }),
    );
  });

  it("keeps the instances that are wanted still, where the others fit beside them", () => {
    const present = instances(at("3g.40gb", 4), at("1g.10gb", 0));

    const plan = planGeometry({ ...empty, present, wanted: ["3g.40gb", "4g.40gb"] });

    expect(plan).toEqual({ kind: "cut", destroy: [2], create: [at("4g.40gb", 0)] });
  });

  it("takes all away where what is wanted does not fit beside what could be kept", () => {
    const present = instances(at("3g.40gb", 0));

    const plan = planGeometry({ ...empty, present, wanted: ["3g.40gb", "4g.40gb"] });

    expect(plan).toEqual({ kind: "cut", destroy: [1], create: [at("4g.40gb", 0), at("3g.40gb", 4)] });
  });

  it("cuts it as it was before, and not as it would be cut anew", () => {
    const before = [at("3g.40gb", 0), at("1g.10gb", 5)];
    const wanted = ["1g.10gb", "3g.40gb"];

    expect(planGeometry({ ...empty, wanted, before })).toEqual({ kind: "cut", destroy: [], create: before });
    expect(planGeometry({ ...empty, wanted: ["3g.40gb"], before })).toEqual({
      kind: "cut",
      destroy: [],
      create: [at("3g.40gb", 4)],
    });
  });

  it("turns the mode on first, and waits where that needs a reset", () => {
    expect(planGeometry({ ...empty, mode: "off" })).toEqual({ kind: "enable" });
    expect(planGeometry({ ...empty, mode: "pending" })).toMatchObject({ kind: "reset-required" });
  });

  it("finds impossible what does not fit together, before the mode is turned on", () => {
    const wanted = ["4g.40gb", "4g.40gb"];

    expect(planGeometry({ ...empty, mode: "off", wanted })).toMatchObject({ kind: "impossible" });
    expect(planGeometry({ ...empty, mode: "unsupported" })).toMatchObject({ kind: "impossible" });
    expect(planGeometry({ ...empty, grid: undefined })).toMatchObject({ kind: "impossible" });
  });
});
