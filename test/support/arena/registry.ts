/**
 * A registry in an arena's world. How it serves an image is in the image's name: at once, a little at a time, or badly.
 */
import { createHash, randomBytes } from "node:crypto";
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createServer, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { exec } from "../../../common/exec.ts";
import { WORLD_ADDRESS } from "./machine.ts";
import { pause } from "./wait.ts";

const PORT = 5_000;
const PADDING_BYTES = 4 * 2 ** 20;
const CHUNK_BYTES = 64 * 2 ** 10;
/** Some 6 MB at this pace take 6 s. */
const SLOW_CHUNK_MS = 60;
const TAR_MS = 10_000;
const BAD_ANSWERS = 2;
const TYPE = {
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar",
};

/**
 * `slow`: a steady trickle. `stall`: half of a layer, and then nothing. `reset`: the connection breaks in half of a layer,
 * twice. `busy` and `broken`: 429 and 500, twice. `wrong`: a layer that is not what its digest says. `down`: always 500.
 */
export type Manner = "ok" | "slow" | "stall" | "reset" | "busy" | "broken" | "wrong" | "down";

interface Blob {
  readonly type: string;
  readonly bytes: Buffer;
}

interface Repository {
  readonly manner: Manner;
  readonly manifest: Blob;
  readonly blobs: ReadonlyMap<string, Blob>;
  readonly layer: string;
  misbehaved: number;
  downloads: number;
}

export class Registry {
  readonly #repositories = new Map<string, Repository>();
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#serve(request.url ?? "", request.method ?? "", response).catch(() => response.destroy());
    });
  }

  static async open(): Promise<Registry> {
    const registry = new Registry();
    await new Promise<void>((resolve) => registry.#server.listen(PORT, WORLD_ADDRESS, resolve));
    return registry;
  }

  /** Makes an image with busybox in it that nobody has pulled yet; resolves with its reference. */
  async image(manner: Manner): Promise<string> {
    const name = `${manner}-${this.#repositories.size}`;
    const layer = { type: TYPE.layer, bytes: await makeLayer() };
    const rootfs = { type: "layers", diff_ids: [digestOf(layer)] };
    const config = json(TYPE.config, { architecture: "amd64", os: "linux", config: { Cmd: ["/bin/sh"] }, rootfs });
    const manifest = json(TYPE.manifest, {
      schemaVersion: 2,
      mediaType: TYPE.manifest,
      config: descriptor(config),
      layers: [descriptor(layer)],
    });
    const blobs = new Map([config, layer].map((blob) => [digestOf(blob), blob]));
    this.#repositories.set(name, { manner, manifest, blobs, layer: digestOf(layer), misbehaved: 0, downloads: 0 });
    return `${WORLD_ADDRESS}:${PORT}/${name}:1`;
  }

  /** How often the layer of an image was asked for. */
  downloads(reference: string): number {
    return this.#repositories.get(nameOf(reference))?.downloads ?? 0;
  }

  async #serve(url: string, method: string, response: ServerResponse): Promise<void> {
    const [, , name = "", kind, what = ""] = url.split("/");
    const repository = this.#repositories.get(name);
    if (url === "/v2/") return void response.writeHead(200).end();
    if (repository === undefined) return void response.writeHead(404).end();
    const blob = kind === "manifests" ? repository.manifest : repository.blobs.get(what);
    if (blob === undefined) return void response.writeHead(404).end();
    const head = { "content-type": blob.type, "content-length": blob.bytes.length };
    const isLayer = what === repository.layer;
    if (method === "HEAD")
      return void response.writeHead(200, { ...head, "docker-content-digest": digestOf(blob) }).end();
    if (isLayer) repository.downloads += 1;
    const refusal = isLayer ? refusalOf(repository) : undefined;
    if (refusal !== undefined) return void response.writeHead(refusal).end();
    response.writeHead(200, { ...head, "docker-content-digest": digestOf(blob) });
    await (isLayer ? sendLayer(repository, blob.bytes, response) : void response.end(blob.bytes));
  }
}

function refusalOf(repository: Repository): number | undefined {
  if (repository.manner === "down") return 500;
  if ((repository.manner !== "busy" && repository.manner !== "broken") || repository.misbehaved >= BAD_ANSWERS) return;
  repository.misbehaved += 1;
  return repository.manner === "busy" ? 429 : 500;
}

async function sendLayer(repository: Repository, bytes: Buffer, response: ServerResponse): Promise<void> {
  const half = bytes.length / 2;
  switch (repository.manner) {
    case "stall":
      return void response.write(bytes.subarray(0, half));
    case "reset":
      if (repository.misbehaved >= BAD_ANSWERS) break;
      repository.misbehaved += 1;
      response.write(bytes.subarray(0, half), () => response.destroy());
      return;
    case "wrong":
      return void response.end(Buffer.alloc(bytes.length));
    case "slow":
      for (let at = 0; at < bytes.length && !response.destroyed; at += CHUNK_BYTES) {
        response.write(bytes.subarray(at, at + CHUNK_BYTES));
        await pause(SLOW_CHUNK_MS);
      }
      return void response.end();
    case "ok":
    case "busy":
    case "broken":
    case "down":
      break;
  }
  response.end(bytes);
}

/** A busybox, and what no other layer holds. */
async function makeLayer(): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), "lium-layer-"));
  try {
    await mkdir(join(folder, "root/bin"), { recursive: true });
    await copyFile("/bin/busybox", join(folder, "root/bin/busybox"));
    await symlink("busybox", join(folder, "root/bin/sh"));
    await writeFile(join(folder, "root/padding"), randomBytes(PADDING_BYTES));
    const limits = { signal: AbortSignal.timeout(TAR_MS), timeoutMs: TAR_MS };
    await exec("tar", ["-C", join(folder, "root"), "-cf", join(folder, "layer.tar"), "."], limits);
    return await readFile(join(folder, "layer.tar"));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function json(type: string, value: unknown): Blob {
  return { type, bytes: Buffer.from(JSON.stringify(value)) };
}

function descriptor(blob: Blob): { mediaType: string; digest: string; size: number } {
  return { mediaType: blob.type, digest: digestOf(blob), size: blob.bytes.length };
}

function digestOf({ bytes }: Blob): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

function nameOf(reference: string): string {
  return reference.split("/")[1]?.split(":")[0] ?? "";
}
