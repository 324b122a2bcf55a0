/**
 * A real image as a registry serves it: the layer of the tests' busybox image, taken from a `docker save`, under as many
 * layers of noise as a test asks for. Noise differs from image to image, so no engine has it already.
 */
import { createCipheriv, createHash, randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

import { z } from "zod";

import { exec } from "../../../common/exec.ts";
import { tarOf } from "../../../executor/docker/tar.ts";
import { busyboxImage } from "../images.ts";

const SAVE_DEADLINE_MS = 60_000;
const NOTHING = Buffer.alloc(0);
export const MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json";
const CONFIG_TYPE = "application/vnd.docker.container.image.v1+json";
const LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar.gzip";

export interface TestImage {
  /** What the registry calls it: `name:tag`. */
  readonly name: string;
  readonly tag: string;
  readonly manifest: Buffer;
  readonly digest: string;
  readonly blobs: ReadonlyMap<string, Buffer>;
  /** Digests of its layers, the busybox layer first. */
  readonly layers: readonly string[];
}

export interface TestImageInput {
  readonly name: string;
  readonly tag?: string;
  /** One layer of noise for each of these sizes. */
  readonly noiseBytes: readonly number[];
  /** So many empty files in one more layer. */
  readonly emptyFiles?: number;
}

/** Makes an image that no engine has seen. */
export async function makeTestImage(input: TestImageInput): Promise<TestImage> {
  const { name, tag = "1", noiseBytes, emptyFiles = 0 } = input;
  const layers = [
    await busyboxLayer(),
    ...noiseBytes.map((size, index) => tarOf([{ path: `noise-${index}`, content: noise(size) }])),
    ...(emptyFiles === 0 ? [] : [emptyLayer(name, emptyFiles)]),
  ];
  // Packing noise would take long and make it no smaller.
  const packed = layers.map((layer) => gzipSync(layer, { level: 0 }));
  const config = Buffer.from(
    JSON.stringify({
      architecture: "amd64",
      os: "linux",
      config: { Cmd: ["/bin/busybox", "sleep", "1000"], Labels: { "lium.test": "1" } },
      rootfs: { type: "layers", diff_ids: layers.map(digestOf) },
      history: layers.map(() => ({ created_by: "test" })),
    }),
  );
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST_TYPE,
      config: { mediaType: CONFIG_TYPE, size: config.length, digest: digestOf(config) },
      layers: packed.map((layer) => ({ mediaType: LAYER_TYPE, size: layer.length, digest: digestOf(layer) })),
    }),
  );
  const blobs = new Map([config, ...packed].map((blob) => [digestOf(blob), blob]));
  return { name, tag, manifest, digest: digestOf(manifest), blobs, layers: packed.map(digestOf) };
}

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

function emptyLayer(name: string, files: number): Buffer {
  const prefix = name.replaceAll("/", "-");
  return tarOf(Array.from({ length: files }, (_, at) => ({ path: `${prefix}-${at}`, content: NOTHING })));
}

/** Bytes that nothing can compress. */
function noise(size: number): Buffer {
  return createCipheriv("aes-128-ctr", randomBytes(16), randomBytes(16)).update(Buffer.alloc(size));
}

const SavedManifest = z.tuple([z.object({ Layers: z.tuple([z.string()]) })]);

async function busyboxLayer(): Promise<Buffer> {
  const tag = await busyboxImage();
  const folder = await mkdtemp(join(tmpdir(), "lium-saved-"));
  const limits = { signal: AbortSignal.timeout(SAVE_DEADLINE_MS), timeoutMs: SAVE_DEADLINE_MS };
  try {
    await exec("docker", ["save", "-o", join(folder, "image.tar"), tag], limits);
    await exec("tar", ["-xf", "image.tar"], { ...limits, cwd: folder });
    const [{ Layers }] = SavedManifest.parse(JSON.parse(await readFile(join(folder, "manifest.json"), "utf8")));
    return await readFile(join(folder, Layers[0]));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
