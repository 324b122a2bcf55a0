/**
 * Layers that no image has. They are what the engine had finished of a pull when it died; it keeps them for ever, shows
 * them to nobody, and has no call to remove them. It does remove the layers of an image that goes, though, unless somebody
 * else needs them: so they are made into an image (which the engine does without their content), and that is removed.
 */
import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";

import { z } from "zod";

import type { LeftoverChoice } from "./image-store.ts";
import { tarOf } from "./tar.ts";

/** A layer as the engine files it: under the hash of everything below it and itself. */
export interface FiledLayer {
  readonly chainId: string;
  /** Undefined for one that stands on nothing. */
  readonly parent: string | undefined;
  /** The hash of its own content. */
  readonly diffId: string;
  readonly sizeBytes: number;
  readonly filedAtMs: number;
  /** Where it was pulled from, in full; nowhere when it was built or loaded here. */
  readonly repositories: readonly string[];
}

export interface Leftovers {
  readonly layers: readonly FiledLayer[];
  /** For each pile of them its hashes, from the lowest layer up: together they cover all. */
  readonly piles: readonly (readonly string[])[];
}

/** What is filed and in no image. `images`: the hashes of each image's layers, from the lowest up. Pure. */
export function leftoversOf(filed: readonly FiledLayer[], images: readonly (readonly string[])[]): Leftovers {
  const used = new Set(images.flatMap(chainIdsOf));
  const byId = new Map(filed.map((layer) => [layer.chainId, layer]));
  const layers = filed.filter(({ chainId }) => !used.has(chainId));
  const parents = new Set(layers.map(({ parent }) => parent));
  const tops = layers.filter(({ chainId }) => !parents.has(chainId));
  return { layers, piles: tops.map((top) => pileUnder(top, byId)).filter((pile) => pile.length > 0) };
}

/** Those that lie there since before an instant and came from one of these repositories. Pure. */
export function chosenOf({ layers, piles }: Leftovers, choice: LeftoverChoice): Leftovers {
  const others = new Set(layers.filter((layer) => !isChosen(layer, choice)).map(({ chainId }) => chainId));
  const chosen = piles.filter((pile) => !chainIdsOf(pile).some((chainId) => others.has(chainId)));
  const covered = new Set(chosen.flatMap(chainIdsOf));
  return { layers: layers.filter(({ chainId }) => covered.has(chainId)), piles: chosen };
}

function isChosen({ filedAtMs, repositories }: FiledLayer, choice: LeftoverChoice): boolean {
  return filedAtMs < choice.sinceMs && repositories.some((repository) => choice.repositories.has(repository));
}

/** The archive that makes an image of a pile, and the id of that image. */
export function imageOf(pile: readonly string[]): { readonly id: string; readonly archive: Buffer } {
  const config = JSON.stringify({ os: "linux", rootfs: { type: "layers", diff_ids: pile } });
  const manifest = JSON.stringify([{ Config: "config.json", RepoTags: [], Layers: pile.map((_, at) => `${at}.tar`) }]);
  const archive = tarOf([
    { path: "config.json", content: Buffer.from(config) },
    { path: "manifest.json", content: Buffer.from(manifest) },
  ]);
  return { id: sha256(config), archive };
}

/** All layers that are filed, where the engine keeps them in the way that this reads; none elsewhere. */
export async function filedLayers(engineRootDir: string, storageDriver: string): Promise<FiledLayer[]> {
  const folder = join(engineRootDir, "image", storageDriver);
  const names = await readdir(join(folder, "layerdb", "sha256")).catch(() => []);
  const layers = await Promise.all(names.map((name) => readLayer(folder, name)));
  return layers.filter((layer) => layer !== undefined);
}

const Sources = z.array(z.object({ SourceRepository: z.string() }));

/** Undefined for one that is not complete, or gone meanwhile. */
async function readLayer(folder: string, name: string): Promise<FiledLayer | undefined> {
  const layer = join(folder, "layerdb", "sha256", name);
  try {
    const [diffId, size, { mtimeMs }] = await Promise.all([
      readFile(join(layer, "diff"), "utf8"),
      readFile(join(layer, "size"), "utf8"),
      stat(layer),
    ]);
    const parent = await readFile(join(layer, "parent"), "utf8").catch(() => undefined);
    const known = join(folder, "distribution", "v2metadata-by-diffid", diffId.replace(":", "/"));
    const sources = Sources.parse(JSON.parse(await readFile(known, "utf8").catch(() => "[]")));
    const repositories = sources.map(({ SourceRepository }) => SourceRepository);
    return { chainId: `sha256:${name}`, parent, diffId, sizeBytes: Number(size), filedAtMs: mtimeMs, repositories };
  } catch {
    return undefined;
  }
}

/** Empty when a layer of the pile is missing. */
function pileUnder(top: FiledLayer, byId: ReadonlyMap<string, FiledLayer>): readonly string[] {
  const pile: string[] = [];
  for (let layer: FiledLayer | undefined = top; layer !== undefined;) {
    pile.unshift(layer.diffId);
    if (layer.parent === undefined) return pile;
    layer = byId.get(layer.parent);
  }
  return [];
}

function chainIdsOf(diffIds: readonly string[]): string[] {
  const chainIds: string[] = [];
  for (const diffId of diffIds) {
    const below = chainIds.at(-1);
    chainIds.push(below === undefined ? diffId : sha256(`${below} ${diffId}`));
  }
  return chainIds;
}

function sha256(text: string): string {
  return `sha256:${createHash("sha256").update(text).digest("hex")}`;
}
