/**
 * Debian's docker-registry on loopback, with a folder of its own: the registry that the world uses. Its access log says
 * what was asked of it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { until } from "../arena/wait.ts";
import { MANIFEST_TYPE, type TestImage } from "./image-content.ts";

const START_MS = 15_000;

export class DebianRegistry implements AsyncDisposable {
  readonly address: string;
  readonly #folder: string;
  readonly #server: ChildProcess;
  #log = "";

  private constructor(port: number, folder: string, server: ChildProcess) {
    this.address = `127.0.0.1:${port}`;
    this.#folder = folder;
    this.#server = server;
    for (const stream of [server.stdout, server.stderr]) stream?.on("data", (chunk) => (this.#log += String(chunk)));
  }

  static async start(): Promise<DebianRegistry> {
    const folder = await mkdtemp(join(tmpdir(), "lium-registry-"));
    const port = await freePort();
    const config = {
      version: 0.1,
      storage: { filesystem: { rootdirectory: join(folder, "data") } },
      http: { addr: `127.0.0.1:${port}` },
    };
    // JSON is YAML, too.
    await writeFile(join(folder, "config.yml"), JSON.stringify(config));
    const server = spawn("docker-registry", ["serve", join(folder, "config.yml")], { stdio: "pipe" });
    const registry = new DebianRegistry(port, folder, server);
    await until("docker-registry to answer", START_MS, async () => (await registry.#ask("/v2/")).ok || undefined);
    return registry;
  }

  /** Uploads an image, and gives the reference to pull it by. */
  async push(image: TestImage): Promise<string> {
    for (const [digest, body] of image.blobs) {
      const { headers } = await this.#ask(`/v2/${image.name}/blobs/uploads/`, { method: "POST" });
      const place = new URL(headers.get("location") ?? "");
      place.searchParams.set("digest", digest);
      await this.#ask(place.pathname + place.search, { method: "PUT", body });
    }
    await this.#ask(`/v2/${image.name}/manifests/${image.tag}`, {
      method: "PUT",
      body: image.manifest,
      headers: { "content-type": MANIFEST_TYPE },
    });
    return `${this.address}/${image.name}:${image.tag}`;
  }

  /** How often the bytes of this layer were asked for. */
  downloads(digest: string): number {
    return this.#log.split("\n").filter((line) => line.includes("GET /v2/") && line.includes(`/blobs/${digest} `))
      .length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#server, "exit");
    this.#server.kill("SIGKILL");
    await ended;
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #ask(path: string, init: RequestInit = {}): Promise<Response> {
    const answer = await fetch(`http://${this.address}${path}`, init);
    if (!answer.ok) throw new Error(`${init.method ?? "GET"} ${path}: ${answer.status} ${await answer.text()}`);
    return answer;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}
