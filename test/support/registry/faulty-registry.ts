/**
 * A registry that serves real images and fails as it is told: slowly, not at all, with the wrong bytes, half-way.
 * It counts what it was asked for, so that a test can say how often something was downloaded.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";

import { z } from "zod";

import { listenOn } from "../../../common/listen.ts";
import { MANIFEST_TYPE, type TestImage } from "./image-content.ts";

/** How requests for one kind of thing go wrong. `times`: how many of them; for ever when left out. */
export type Fault =
  | { readonly kind: "trickle"; readonly chunkBytes: number; readonly everyMs: number; readonly forMs?: number }
  | { readonly kind: "stall"; readonly afterBytes: number; readonly times?: number }
  | { readonly kind: "reset"; readonly afterBytes: number; readonly times?: number }
  | { readonly kind: "wrong-digest" }
  | { readonly kind: "missing" }
  | {
      readonly kind: "status";
      readonly status: 429 | 500;
      readonly retryAfterSeconds?: number;
      readonly times?: number;
    };

export interface Account {
  readonly username: string;
  readonly password: string;
}

interface Asked {
  readonly kind: "manifest" | "blob";
  readonly method: string;
  readonly digest: string;
}

const REQUEST = /^\/v2\/(?<name>.+)\/(?<kind>manifests|blobs)\/(?<reference>[^/]+)$/;
const JSON_BODY = { "content-type": "application/json" } as const;
const Request = z.object({ name: z.string(), kind: z.enum(["manifests", "blobs"]), reference: z.string() });

export class FaultyRegistry implements AsyncDisposable {
  /** What goes wrong with requests for manifests, and for layers. */
  manifestFault: Fault | undefined;
  layerFault: Fault | undefined;
  /** Who may pull; everybody while undefined. */
  accounts: readonly Account[] | undefined;
  readonly asked: Asked[] = [];
  /** Digests of blobs that are on their way, one for each connection that waits for one. */
  readonly sending: string[] = [];
  readonly #images: TestImage[] = [];
  readonly #server: Server;
  readonly #faults = new Map<Fault, number>();
  #host = "";
  #port = 0;

  constructor() {
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
  }

  async listen(host = "127.0.0.1"): Promise<this> {
    this.#host = host;
    this.#port = await listenOn(this.#server, { host, port: 0 });
    return this;
  }

  /** Serves this image, and gives the reference to pull it by. */
  add(image: TestImage, tag = image.tag): string {
    this.#images.push({ ...image, tag });
    return `${this.address}/${image.name}:${tag}`;
  }

  get address(): string {
    return `${this.#host}:${this.#port}`;
  }

  /** How often the bytes of this layer, or of any layer of this image, were asked for. */
  downloads(digest: string): number {
    return this.asked.filter((one) => one.method === "GET" && one.kind === "blob" && one.digest === digest).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!this.#mayPull(request)) {
      response.writeHead(401, { ...JSON_BODY, "www-authenticate": 'Basic realm="test"' });
      return void response.end(errorBody("UNAUTHORIZED", "authentication required"));
    }
    const groups = REQUEST.exec(request.url ?? "")?.groups;
    if (groups === undefined) return void response.writeHead(200).end("{}");
    const { name, kind, reference } = Request.parse({ ...groups });
    const images = this.#images.filter((image) => image.name === name);
    if (kind === "manifests") return this.#sendManifest(request, response, { images, reference });
    return this.#sendBlob(request, response, { images, reference });
  }

  #mayPull(request: IncomingMessage): boolean {
    if (this.accounts === undefined) return true;
    const given = Buffer.from((request.headers.authorization ?? "").replace("Basic ", ""), "base64").toString();
    return this.accounts.some(({ username, password }) => given === `${username}:${password}`);
  }

  async #sendManifest(request: IncomingMessage, response: ServerResponse, wanted: Wanted): Promise<void> {
    const { images, reference } = wanted;
    const image = images.find(({ tag, digest }) => tag === reference || digest === reference);
    this.asked.push({ kind: "manifest", method: request.method ?? "", digest: image?.digest ?? "" });
    const fault = this.#take(this.manifestFault);
    if (image === undefined || fault?.kind === "missing") {
      return void response.writeHead(404, JSON_BODY).end(errorBody("MANIFEST_UNKNOWN", "manifest unknown"));
    }
    const headers = { "content-type": MANIFEST_TYPE, "docker-content-digest": image.digest };
    await send(request, response, { headers, body: image.manifest, fault });
  }

  async #sendBlob(request: IncomingMessage, response: ServerResponse, wanted: Wanted): Promise<void> {
    const { images, reference } = wanted;
    const image = images.find(({ blobs }) => blobs.has(reference));
    const body = image?.blobs.get(reference);
    this.asked.push({ kind: "blob", method: request.method ?? "", digest: reference });
    if (image === undefined || body === undefined) {
      return void response.writeHead(404, JSON_BODY).end(errorBody("BLOB_UNKNOWN", "blob unknown"));
    }
    this.sending.push(reference);
    response.once("close", () => this.sending.splice(this.sending.indexOf(reference), 1));
    const isNoise = image.layers.indexOf(reference) > 0;
    const fault = isNoise ? this.#take(this.layerFault) : undefined;
    await send(request, response, { headers: { "docker-content-digest": reference }, body, fault });
  }

  /** The fault, as long as it has times left. */
  #take(fault: Fault | undefined): Fault | undefined {
    if (fault === undefined || !("times" in fault) || fault.times === undefined) return fault;
    const taken = (this.#faults.get(fault) ?? 0) + 1;
    this.#faults.set(fault, taken);
    return taken > fault.times ? undefined : fault;
  }
}

interface Wanted {
  readonly images: readonly TestImage[];
  readonly reference: string;
}

interface Sending {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly fault: Fault | undefined;
}

async function send(request: IncomingMessage, response: ServerResponse, sending: Sending): Promise<void> {
  const { fault, headers } = sending;
  if (fault?.kind === "status") {
    // Docker drops the header; it shows the words of the body, in which GHCR repeats it like this.
    const retryAfter = fault.retryAfterSeconds === undefined ? {} : { "retry-after": String(fault.retryAfterSeconds) };
    const words = fault.retryAfterSeconds === undefined ? "" : `retry-after: ${fault.retryAfterSeconds}s, `;
    const code = fault.status === 429 ? "TOOMANYREQUESTS" : "UNKNOWN";
    response.writeHead(fault.status, { ...JSON_BODY, ...retryAfter });
    return void response.end(errorBody(code, `${words}allowed: 44000/minute`));
  }
  const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
  const body = (fault?.kind === "wrong-digest" ? spoiled(sending.body) : sending.body).subarray(from);
  const range = from === 0 ? {} : { "content-range": `bytes ${from}-${from + body.length - 1}/${from + body.length}` };
  response.writeHead(from === 0 ? 200 : 206, { ...headers, ...range, "content-length": body.length });
  if (request.method === "HEAD") return void response.end();
  if (fault?.kind === "trickle") return trickle(response, body, fault);
  if (fault?.kind !== "stall" && fault?.kind !== "reset") return void response.end(body);
  response.write(body.subarray(0, fault.afterBytes), () => {
    if (fault.kind === "reset") response.socket?.resetAndDestroy();
  });
}

/** Other bytes that are as well-formed: JSON takes a blank at its end. */
function spoiled(body: Buffer): Buffer {
  if (body.at(-1) === "}".charCodeAt(0)) return Buffer.concat([body, Buffer.from(" ")]);
  const copy = Buffer.from(body);
  copy[copy.length - 1] = (copy.at(-1) ?? 0) ^ 1;
  return copy;
}

/** A little at a time; all the rest at once after `forMs`. */
function trickle(response: ServerResponse, body: Buffer, fault: Fault & { kind: "trickle" }): void {
  let at = 0;
  const began = performance.now();
  const timer = setInterval(() => {
    const isOver = fault.forMs !== undefined && performance.now() - began >= fault.forMs;
    const next = isOver ? body.length : at + fault.chunkBytes;
    response.write(body.subarray(at, next));
    at = next;
    if (at < body.length) return;
    clearInterval(timer);
    response.end();
  }, fault.everyMs);
  response.on("close", () => clearInterval(timer));
}

function errorBody(code: string, message: string): string {
  return JSON.stringify({ errors: [{ code, message }] });
}
