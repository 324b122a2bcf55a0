/**
 * An S3 server on loopback, with the verbs that a backup needs, in memory. Every request and every chunk of an upload must
 * bear a valid signature of version 4: a client that signs wrongly, or not at all, gets nothing.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

const BUCKET = "backups";
const STREAMING = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
const EMPTY_HASH = createHash("sha256").digest("hex");

export const S3_KEYS = {
  accessKeyId: "AKIATESTTESTTEST",
  secretAccessKey: "s3-secret-of-a-renter/with+signs",
} as const;

interface Signature {
  readonly scope: string;
  readonly date: string;
  readonly key: Buffer;
  readonly value: string;
}

export class S3Server implements AsyncDisposable {
  readonly objects = new Map<string, Buffer>();
  /** How many uploads are taken before every one is cut off; all when undefined. */
  uploadsLeft: number | undefined;
  /** Of what was taken. */
  uploadedBytes = 0;
  /** Uploads are taken and never answered. */
  stalled = false;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch(() => refuse(response, 403, "SignatureDoesNotMatch"));
    });
  }

  static async listen(): Promise<S3Server> {
    const server = new S3Server();
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  /** As restic names a folder in it. */
  repository(folder: string): string {
    const { port } = this.#server.address() as AddressInfo;
    return `s3:http://127.0.0.1:${port}/${BUCKET}/${folder}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const raw = await bodyOf(request);
    const signature = verified(request);
    const body = verifiedBody(request, raw, signature);
    const url = new URL(request.url ?? "/", "http://s3");
    const key = decodeURIComponent(url.pathname).replace(`/${BUCKET}`, "").replace(/^\//, "");
    if (!url.pathname.startsWith(`/${BUCKET}`)) return refuse(response, 404, "NoSuchBucket");
    if (key === "") return this.#bucket(url, response);
    if (request.method === "PUT") return this.#put(key, body, response);
    if (request.method === "DELETE") {
      this.objects.delete(key);
      response.writeHead(204).end();
      return;
    }
    this.#get(key, request, response);
  }

  #bucket(url: URL, response: ServerResponse): void {
    if (url.searchParams.has("location")) return answer(response, "<LocationConstraint/>");
    const prefix = url.searchParams.get("prefix") ?? "";
    const names = [...this.objects.keys()].filter((name) => name.startsWith(prefix)).toSorted();
    const entries = names.map((name) => {
      const size = this.objects.get(name)?.length ?? 0;
      const at = "2026-01-01T00:00:00.000Z";
      return `<Contents><Key>${name}</Key><Size>${size}</Size><LastModified>${at}</LastModified><ETag>"x"</ETag></Contents>`;
    });
    const head = `<Name>${BUCKET}</Name><IsTruncated>false</IsTruncated><KeyCount>${names.length}</KeyCount>`;
    answer(response, `<ListBucketResult>${head}${entries.join("")}</ListBucketResult>`);
  }

  #put(key: string, body: Buffer, response: ServerResponse): void {
    if (this.stalled) return;
    if (this.uploadsLeft === 0) {
      response.destroy();
      return;
    }
    if (this.uploadsLeft !== undefined) this.uploadsLeft--;
    this.objects.set(key, body);
    this.uploadedBytes += body.length;
    response.writeHead(200, { ETag: `"${createHash("md5").update(body).digest("hex")}"` }).end();
  }

  #get(key: string, { method, headers }: IncomingMessage, response: ServerResponse): void {
    const object = this.objects.get(key);
    if (object === undefined) return refuse(response, 404, "NoSuchKey");
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? "") ?? [];
    const begin = Number(from ?? 0);
    const part = object.subarray(begin, to ? Number(to) + 1 : undefined);
    const common = { ETag: '"x"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT", "Content-Length": part.length };
    const range = `bytes ${begin}-${begin + part.length - 1}/${object.length}`;
    response.writeHead(
      from === undefined ? 200 : 206,
      from === undefined ? common : { ...common, "Content-Range": range },
    );
    response.end(method === "HEAD" ? undefined : part);
  }
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

/** Throws when the request is not signed with our key. */
function verified(request: IncomingMessage): Signature {
  const { headers } = request;
  const fields = /^AWS4-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
    headers.authorization ?? "",
  );
  const [, credential = "", names = "", value = ""] = fields ?? [];
  const [accessKeyId, ...scoped] = credential.split("/");
  const date = String(headers["x-amz-date"]);
  if (accessKeyId !== S3_KEYS.accessKeyId) throw new Error("unknown key");
  const url = new URL(request.url ?? "/", "http://s3");
  const query = [...url.searchParams].map((pair) => pair.map(encoded).join("=")).toSorted();
  const signed = names.split(";").map((name) => `${name}:${String(headers[name]).trim()}\n`);
  const canonical = [request.method, url.pathname, query.join("&"), signed.join(""), names, payloadHash(request)];
  const scope = scoped.join("/");
  const text = ["AWS4-HMAC-SHA256", date, scope, sha256(Buffer.from(canonical.join("\n")))].join("\n");
  const key = scoped.reduce((from: Buffer, part) => hmac(from, part), Buffer.from(`AWS4${S3_KEYS.secretAccessKey}`));
  same(hmac(key, text).toString("hex"), value);
  return { scope, date, key, value };
}

/** What was sent, without the frames of a signed stream. Throws when it is not what was signed. */
function verifiedBody(request: IncomingMessage, raw: Buffer, signature: Signature): Buffer {
  const hash = payloadHash(request);
  if (hash !== STREAMING) {
    if (hash !== "UNSIGNED-PAYLOAD") same(sha256(raw), hash);
    return raw;
  }
  const chunks: Buffer[] = [];
  let before = signature.value;
  for (let at = 0; at < raw.length;) {
    const end = raw.indexOf("\r\n", at);
    const [, length = "", value = ""] =
      /^([0-9a-f]+);chunk-signature=([0-9a-f]{64})$/.exec(raw.toString("latin1", at, end)) ?? [];
    const chunk = raw.subarray(end + 2, end + 2 + Number.parseInt(length, 16));
    const { date, scope, key } = signature;
    const text = ["AWS4-HMAC-SHA256-PAYLOAD", date, scope, before, EMPTY_HASH, sha256(chunk)].join("\n");
    same(hmac(key, text).toString("hex"), value);
    chunks.push(chunk);
    before = value;
    at = end + 2 + chunk.length + 2;
  }
  return Buffer.concat(chunks);
}

function payloadHash({ headers }: IncomingMessage): string {
  return String(headers["x-amz-content-sha256"]);
}

function same(ours: string, theirs: string): void {
  const [a, b] = [Buffer.from(ours), Buffer.from(theirs)];
  if (a.length !== b.length || !timingSafeEqual(a, b)) throw new Error("signed otherwise");
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function encoded(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);
}

function answer(response: ServerResponse, xml: string): void {
  response.writeHead(200, { "Content-Type": "application/xml" }).end(`<?xml version="1.0" encoding="UTF-8"?>${xml}`);
}

function refuse(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { "Content-Type": "application/xml" });
  response.end(`<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`);
}
