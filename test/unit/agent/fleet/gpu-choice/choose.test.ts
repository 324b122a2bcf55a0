/** A pod gets the best-linked GPUs of one kind that nobody holds, and the choice spares what is left. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { chooseGpus } from "../../../../../agent/fleet/gpu-choice/choose.ts";
import { scoresOf } from "../../../../../agent/fleet/gpu-choice/scores.ts";
import type { Gpu, GpuLink } from "../../../../../protocol/gpu.ts";
import { GpuUuid } from "../../../../../protocol/ids.ts";
import { gpu } from "../../../../support/agent-builders.ts";
import { ALL_SHAPES, choices, type Shape, type Topology, topologyOf } from "../../../../support/gpus/topologies.ts";

function insideOf({ gpus, links }: Topology, uuids: readonly GpuUuid[]): number {
  const scores = scoresOf(gpus, links);
  const members = uuids.map((uuid) => gpus.findIndex((one) => one.uuid === uuid));
  return members.flatMap((a) => members.map((b) => scores[a]?.[b] ?? 0)).reduce((sum, score) => sum + score, 0) / 2;
}

/** The paths or hops between the chosen, each kind once. */
function waysAmong({ links }: Topology, uuids: readonly GpuUuid[]): Set<unknown> {
  const among = links.filter(({ a, b }) => uuids.includes(a) && uuids.includes(b));
  return new Set(among.map(({ path, nvlinks = 0, xgmiWeight }) => xgmiWeight ?? (nvlinks > 0 ? nvlinks : path)));
}

function partsOf(parent: string, count: number, profile = "1g.10gb"): Gpu[] {
  return Array.from({ length: count }, (_, index) =>
    gpu(1, {
      uuid: GpuUuid.parse(`MIG-${parent}-${profile}-${index}`),
      model: `NVIDIA H100 80GB HBM3 ${profile}`,
      partition: { parent: GpuUuid.parse(`GPU-${parent}`), profile, computeSlices: 1, memorySlices: 1 },
    }),
  );
}

describe("the choice of GPUs", () => {
  it.each(ALL_SHAPES)("demand 19: 1, 2, 4 and 8 GPUs of any that are free on %s are the best-linked ones", (shape) => {
    const host = topologyOf(shape);

    for (const count of [1, 2, 4, 8]) {
      for (let free = 1; free < 2 ** host.gpus.length; free += 1) {
        const units = host.gpus.filter((_, at) => (free >> at) % 2 === 1);
        const { chosen } = chooseGpus({ count }, units, host.links);
        const sets = [...choices(units, count)].map((set) =>
          insideOf(
            host,
            set.map(({ uuid }) => uuid),
          ),
        );

        expect(chosen.every((uuid) => units.some((unit) => unit.uuid === uuid))).toBe(true);
        expect(new Set(chosen).size).toBe(units.length < count ? 0 : count);
        expect(insideOf(host, chosen)).toBe(Math.max(0, ...sets));
      }
    }
  });

  it.each<[Shape, number, unknown[]]>([
    ["PCIe-only 8-GPU", 2, ["one-switch"]],
    ["PCIe-only 8-GPU", 4, ["one-switch", "host-bridge"]],
    ["2-socket 4-GPU", 2, ["one-switch"]],
    ["MI210 in two hives", 4, [15]],
    ["H100 NVL in bridged pairs", 2, [12]],
    ["DGX-H100", 4, [18]],
    ["MI300X", 8, [15]],
  ])("demand 19: on %s %i GPUs reach each other over nothing worse than they must", (shape, count, ways) => {
    const host = topologyOf(shape);

    const { chosen } = chooseGpus({ count }, host.gpus, host.links);

    expect(waysAmong(host, chosen)).toEqual(new Set(ways));
  });

  it.each<[Shape, number]>([
    ["PCIe-only 8-GPU", 1],
    ["MI210 in two hives", 1],
    ["MI210 in two hives", 2],
    ["MI210 in two hives", 3],
  ])("demand 19: on %s a request for %i breaks no four that are linked while others are there", (shape, count) => {
    const host = topologyOf(shape);
    const [four] = [...choices(host.gpus, 4)].toSorted(
      (a, b) =>
        insideOf(
          host,
          b.map(({ uuid }) => uuid),
        ) -
        insideOf(
          host,
          a.map(({ uuid }) => uuid),
        ),
    );
    const others = host.gpus.filter((unit) => four?.includes(unit) === false);
    const free = host.gpus.filter((unit) => unit !== others[0]);

    const { chosen } = chooseGpus({ count }, free, host.links);

    expect(chosen.filter((uuid) => four?.some((unit) => unit.uuid === uuid))).toEqual([]);
  });

  it("is the same in whatever order units and links come", () => {
    const { gpus, links } = topologyOf("PCIe-only 8-GPU");
    const shuffled = fc.tuple(
      fc.shuffledSubarray([...gpus], { minLength: 8 }),
      fc.shuffledSubarray([...links], { minLength: links.length }),
    );

    fc.assert(
      fc.property(shuffled, fc.integer({ min: 1, max: 8 }), ([units, pairs], count) => {
        const turned = pairs.map((pair, at) => (at % 2 === 0 ? pair : { ...pair, a: pair.b, b: pair.a }));
        expect(chooseGpus({ count }, units, turned)).toEqual(chooseGpus({ count }, gpus, links));
      }),
      { numRuns: 30 },
    );
  });

  it("takes the first of an executor that says nothing of links", () => {
    const { gpus } = topologyOf("DGX-H100");

    expect(chooseGpus({ count: 2 }, gpus).chosen).toEqual(gpus.slice(0, 2).map(({ uuid }) => uuid));
  });

  it("avoids a GPU some of whose links are down", () => {
    const { gpus, links } = topologyOf("DGX-H100");
    const sick = gpus[0]?.uuid;
    const limping = links.map((link): GpuLink =>
      link.a === sick || link.b === sick ? { ...link, nvlinks: 12 } : link,
    );

    expect(chooseGpus({ count: 4 }, gpus, limping).chosen).not.toContain(sick);
    expect(chooseGpus({ count: 1 }, gpus, limping).chosen).toEqual([sick]);
  });

  it("counts the worse of two words on one pair", () => {
    const [a, b, c] = [gpu(1), gpu(2), gpu(3)];
    const link = (one: Gpu, other: Gpu, nvlinks: number): GpuLink => ({ a: one.uuid, b: other.uuid, nvlinks });

    const { chosen } = chooseGpus({ count: 2 }, [a, b, c], [link(a, b, 12), link(b, a, 1), link(b, c, 2)]);

    expect(chosen).toEqual([b.uuid, c.uuid]);
  });
});

describe("what a pod never gets", () => {
  const amd = gpu(3, { vendor: "amd", model: "AMD Instinct MI300X" });
  const other = gpu(4, { model: "NVIDIA H200" });

  it("is GPUs of several vendors, not even by naming them", () => {
    expect(chooseGpus({ count: 2 }, [gpu(1), amd])).toEqual({
      chosen: [],
      missing: ["gpus: 2 of one model asked for, at most 1 free"],
    });
    expect(chooseGpus({ count: 2, uuids: [gpu(1).uuid, amd.uuid] }, [gpu(1), amd]).missing).toEqual([
      "gpus: a pod cannot have GPUs of both nvidia and amd",
    ]);
  });

  it("is GPUs of several models, unless they are named", () => {
    expect(chooseGpus({ count: 2, model: "nvidia" }, [gpu(1), other]).missing).toEqual([
      'gpus: 2 of one model asked for, at most 1 free like "nvidia"',
    ]);
    expect(chooseGpus({ count: 2, uuids: [other.uuid, gpu(1).uuid] }, [gpu(1), other])).toEqual({
      chosen: [other.uuid, gpu(1).uuid],
      missing: [],
    });
  });

  it("demand 19: is a GPU that another holds, nor a time slice of one", () => {
    const { uuid } = gpu(1);

    expect(chooseGpus({ count: 1, uuids: [uuid] }, [])).toMatchObject({ missing: [`gpus: ${uuid} is not free here`] });
    expect(chooseGpus({ count: 1 }, []).missing).toEqual(["gpus: 1 asked for, 0 free"]);
  });

  it("is a part where a GPU was asked for", () => {
    const parts = partsOf("a", 7);

    expect(chooseGpus({ count: 1, model: "H100" }, parts)).toEqual({
      chosen: [],
      missing: [
        'gpus: 1 asked for, 0 free like "H100"; 7 parts of GPUs too, which are to be asked for by their profile',
      ],
    });
    expect(chooseGpus({ count: 1 }, [...parts, gpu(9)]).chosen).toEqual([gpu(9).uuid]);
  });
});

describe("parts of GPUs", () => {
  it("demand 19: a GPU cut into seven gives seven pods one each, and an eighth none", () => {
    let free = partsOf("a", 7);
    const given: GpuUuid[] = [];
    for (let pod = 0; pod < 7; pod += 1) {
      given.push(...chooseGpus({ count: 1, model: "1g.10gb" }, free).chosen);
      free = free.filter(({ uuid }) => !given.includes(uuid));
    }

    expect(new Set(given).size).toBe(7);
    expect(chooseGpus({ count: 1, model: "1g.10gb" }, free).missing).toEqual([
      'gpus: 1 asked for, 0 free like "1g.10gb"',
    ]);
  });

  it("come from the GPU with the fewest left, so that others stay whole", () => {
    const free = [...partsOf("a", 7), ...partsOf("b", 2), ...partsOf("c", 7)];

    expect(chooseGpus({ count: 1, model: "1g" }, free).chosen).toEqual(["MIG-b-1g.10gb-0"]);
    expect(chooseGpus({ count: 2, model: "1g" }, free).chosen).toEqual(["MIG-b-1g.10gb-0", "MIG-b-1g.10gb-1"]);
  });

  it("come from one GPU where it has enough, also of 56", () => {
    const free = ["a", "b", "c", "d", "e", "f", "g", "h"].flatMap((parent) => partsOf(parent, 7));

    const { chosen } = chooseGpus({ count: 7, model: "1g.10gb" }, free);

    expect(new Set(chosen.map((uuid) => uuid.slice(0, 5))).size).toBe(1);
  });

  it("are of one profile in one pod", () => {
    const free = [...partsOf("a", 2, "1g.10gb"), ...partsOf("a", 1, "1g.20gb")];

    expect(chooseGpus({ count: 3, model: "1g" }, free).missing).toEqual([
      'gpus: 3 of one model asked for, at most 2 free like "1g"',
    ]);
  });
});
