/** Layers of no image: which there are, which of them are meant, and how the engine is made to let go of them. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";

import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { chosenOf, type FiledLayer, imageOf, leftoversOf } from "../../../../executor/docker/leftover-layers.ts";

const OURS = "registry.test/ours";
const EVERYTHING = { sinceMs: Infinity, repositories: new Set([OURS]) };

function chainOf(diffIds: readonly string[]): string {
  return diffIds.slice(1).reduce((below, diffId) => {
    return `sha256:${createHash("sha256").update(`${below} ${diffId}`).digest("hex")}`;
  }, diffIds[0] ?? "");
}

/** The top layer of these, as it is filed. */
function filed(diffIds: readonly string[], over: Partial<FiledLayer> = {}): FiledLayer {
  const parent = diffIds.length === 1 ? undefined : chainOf(diffIds.slice(0, -1));
  const diffId = diffIds.at(-1) ?? "";
  return { chainId: chainOf(diffIds), parent, diffId, sizeBytes: 1, filedAtMs: 0, repositories: [OURS], ...over };
}

describe("layers of no image", () => {
  it("are found on top of those of images, each pile with all that it stands on", () => {
    const layers = [filed(["a"]), filed(["a", "b"]), filed(["a", "b", "c"]), filed(["a", "d"]), filed(["e"])];

    const leftovers = leftoversOf(layers, [["a", "d"]]);

    expect(leftovers.layers.map(({ diffId }) => diffId)).toEqual(["b", "c", "e"]);
    expect(leftovers.piles).toEqual([["a", "b", "c"], ["e"]]);
  });

  it("are left out when something under them is missing", () => {
    expect(leftoversOf([filed(["a", "b"])], []).piles).toEqual([]);
  });

  it.each<[string, Partial<FiledLayer>]>([
    ["young", { filedAtMs: 10 }],
    ["from elsewhere", { repositories: ["registry.test/theirs"] }],
    ["built here", { repositories: [] }],
  ])("stay when one of the pile is %s", (_, over) => {
    const leftovers = leftoversOf([filed(["a"]), filed(["a", "b"], over), filed(["c"])], []);

    const chosen = chosenOf(leftovers, { ...EVERYTHING, sinceMs: 10 });

    expect(chosen.piles).toEqual([["c"]]);
    expect(chosen.layers.map(({ diffId }) => diffId)).toEqual(["c"]);
  });

  it("are never layers of an image", () => {
    const stack = fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.array(stack), fc.array(stack), (images, others) => {
        const all = [...images, ...others].flatMap((diffIds) => diffIds.map((_, at) => diffIds.slice(0, at + 1)));
        const layers = [...new Map(all.map((diffIds) => [chainOf(diffIds), filed(diffIds)])).values()];
        const needed = new Set(images.flatMap((diffIds) => diffIds.map((_, at) => chainOf(diffIds.slice(0, at + 1)))));

        const chosen = chosenOf(leftoversOf(layers, images), EVERYTHING);

        expect(chosen.layers.filter(({ chainId }) => needed.has(chainId))).toEqual([]);
        expect(chosen.layers).toHaveLength(layers.length - needed.size);
      }),
    );
  });
});

describe("the image that is made of a pile", () => {
  it("is an archive with the pile's hashes, under the id that the engine will give it", () => {
    const { id, archive } = imageOf(["sha256:a", "sha256:b"]);

    const read = (path: string): string => execFileSync("tar", ["-xO", path], { input: archive, encoding: "utf8" });
    const config = read("config.json");

    expect(JSON.parse(config)).toMatchObject({ os: "linux", rootfs: { diff_ids: ["sha256:a", "sha256:b"] } });
    expect(JSON.parse(read("manifest.json"))).toEqual([
      { Config: "config.json", RepoTags: [], Layers: ["0.tar", "1.tar"] },
    ]);
    expect(id).toBe(`sha256:${createHash("sha256").update(config).digest("hex")}`);
  });
});
