/** What the client says when the other side is absent, slow, strange or newer than it. */
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";

import { describe, expect, it, onTestFinished } from "vitest";

import { createHttpClient } from "../../common/http-client.ts";
import { collect, smallApi } from "../support/small-server.ts";

const call = { params: { name: "a" }, body: { n: 1 } };
const REFUSAL = { code: "pod-not-found", message: "m", impact: "i", remedy: "r", requestId: "id" };

async function against(listener: RequestListener, timeoutMs = 5_000) {
  const server = createServer(listener).listen(0, "127.0.0.1");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise((resolve) => server.once("listening", resolve));
  return clientOf(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, timeoutMs);
}

function clientOf(baseUrl: string, timeoutMs = 5_000) {
  const client = createHttpClient(smallApi, { at: { baseUrl }, timeoutMs });
  onTestFinished(() => client.close());
  return client;
}

function answering(status: number, text: string): RequestListener {
  return (_, response) => void response.writeHead(status).end(text);
}

describe("the client", () => {
  it("says connection-failed where nobody listens, by port and by socket", async () => {
    const socket = createHttpClient(smallApi, { at: { socketPath: "/nowhere/a.sock" }, timeoutMs: 1_000 });
    onTestFinished(() => socket.close());

    await expect(clientOf("http://127.0.0.1:1").double(call)).rejects.toMatchObject({ code: "connection-failed" });
    await expect(socket.double(call)).rejects.toMatchObject({ code: "connection-failed" });
    await expect(collect(socket.count({}))).rejects.toMatchObject({ code: "connection-failed" });
  });

  it("says connection-failed when the other side hangs up, before or within the answer", async () => {
    const before = await against((request) => void request.socket.destroy());
    const within = await against((request, response) => {
      response.writeHead(200, { "content-length": "100" }).write('{"n":1}\n', () => request.socket.destroy());
    });

    await expect(before.double(call)).rejects.toMatchObject({ code: "connection-failed" });
    await expect(within.double(call)).rejects.toMatchObject({ code: "connection-failed" });
    await expect(collect(within.count({}))).rejects.toMatchObject({ code: "connection-failed" });
  });

  it("says deadline-exceeded when no answer comes, or none to the end", async () => {
    const silent = await against(() => undefined, 50);
    const endless = await against((_, response) => void response.writeHead(200).write("{"), 50);

    await expect(silent.double(call)).rejects.toMatchObject({ code: "deadline-exceeded" });
    await expect(endless.double(call)).rejects.toMatchObject({ code: "deadline-exceeded" });
    await expect(collect(silent.count({}))).rejects.toMatchObject({ code: "deadline-exceeded" });
  });

  it("throws the caller's own reason when the caller gives up, and lets go", async () => {
    const left = Promise.withResolvers<void>();
    const client = await against((request, response) => {
      request.socket.once("close", () => left.resolve());
      response.writeHead(200).write('{"n":1}\n');
    });
    const caller = new AbortController();
    const items = client.count({}, caller.signal)[Symbol.asyncIterator]();
    await items.next();
    const reason = new Error("enough");

    caller.abort(reason);

    await expect(items.next()).rejects.toBe(reason);
    await left.promise;
  });

  it("lets go of a stream that its caller does not read to the end", async () => {
    const left = Promise.withResolvers<void>();
    const client = await against((request, response) => {
      request.socket.once("close", () => left.resolve());
      response.writeHead(200).write('{"n":1}\n{"n":2}\n');
    });

    for await (const { n } of client.count({})) if (n === 1) break;

    await left.promise;
  });

  it.each([
    ["a refusal", 404, JSON.stringify(REFUSAL), { code: "pod-not-found", message: "m", details: { requestId: "id" } }],
    [
      "a refusal of a newer version",
      409,
      JSON.stringify({ ...REFUSAL, code: "moon-phase", details: { a: 1 } }),
      { code: "internal", message: "m", details: { a: 1, code: "moon-phase", status: 409, remedy: "r" } },
    ],
    ["a page of a proxy", 502, "<h1>Bad gateway</h1>", { code: "internal", details: { status: 502 } }],
    ["a redirection", 302, "", { code: "internal", details: { status: 302 } }],
    ["an answer that is no JSON", 200, "<h1>Welcome</h1>", { code: "internal" }],
    ["an answer of another shape", 200, '{"n":"1"}', { code: "internal" }],
  ])("turns %s into an error that says so", async (_, status, text, error) => {
    const client = await against(answering(status, text));

    await expect(client.double(call)).rejects.toMatchObject({ name: "AppError", ...error });
  });

  it("reads a stream whose pieces end anywhere, even within a character", async () => {
    const bytes = Buffer.from('{"n":1,"text":"für 😀"}\n{"n":2}\n{"n":3}');
    const client = await against((_, response) => {
      response.writeHead(200);
      for (const byte of bytes) response.write(Buffer.of(byte));
      response.end();
    });

    expect(await collect(client.count({}))).toEqual([{ n: 1, text: "für 😀" }, { n: 2 }, { n: 3 }]);
  });

  it("throws what the last line of a stream says, and for a line that is no item", async () => {
    const failed = await against(answering(200, `{"n":1}\n${JSON.stringify({ error: REFUSAL })}\n`));
    const strange = await against(answering(200, '{"n":1}\n{"m":2}\n'));
    const broken = await against(answering(200, '{"n":1}\n{"n":'));

    await expect(collect(failed.count({}))).rejects.toMatchObject({ code: "pod-not-found" });
    await expect(collect(strange.count({}))).rejects.toMatchObject({ code: "internal" });
    await expect(collect(broken.count({}))).rejects.toMatchObject({ code: "internal" });
  });

  it("refuses a URL that it would not send as it stands", () => {
    for (const baseUrl of ["localhost:8091", "http://a/prefix", "ftp://a", "http://a?x", "http://user:pw@a", ""]) {
      expect(() => createHttpClient(smallApi, { at: { baseUrl }, timeoutMs: 1 })).toThrow(/is not a URL/);
    }
  });

  it("asks for a signature of exactly what goes over the wire, anew for each request", async () => {
    const received: string[] = [];
    const server = createServer((request, response) => {
      void request.toArray().then((body) => {
        received.push(`${request.method} ${request.url} ${body.join("")} ${String(request.headers["x-count"])}`);
        response.end('{"name":"a","n":2,"loud":false}');
      });
    }).listen(0, "127.0.0.1");
    onTestFinished(() => void server.close());
    await new Promise((resolve) => server.once("listening", resolve));
    const signed: string[] = [];
    const client = createHttpClient(smallApi, {
      at: { baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` },
      timeoutMs: 5_000,
      sign: ({ method, target, body }) => {
        const count = String(signed.length);
        signed.push(`${method} ${target} ${Buffer.from(body).toString()} ${count}`);
        return { "X-Count": count };
      },
    });
    onTestFinished(() => client.close());

    await client.double({ params: { name: "a/ü" }, query: { loud: "true" }, body: { n: 1 } });
    await client.double(call);

    expect(received).toEqual(signed);
    expect(signed[0]).toBe('POST /double/a%2F%C3%BC?loud=true {"n":1} 0');
  });
});
