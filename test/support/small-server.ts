/**
 * A server over a small route table of its own, with its client and with bare connections, for tests of the plumbing.
 */
import { createConnection, type Socket } from "node:net";

import { onTestFinished } from "vitest";
import { z } from "zod";

import { createHttpClient } from "../../common/http-client.ts";
import { DEFAULT_LIMITS } from "../../common/http-limits.ts";
import { createHttpServer, type Handlers, type HttpServerOptions } from "../../common/http-server.ts";
import { route } from "../../protocol/route.ts";
import { loggerToMemory } from "./memory-log.ts";

const none = z.strictObject({});
const open = { auth: "open", params: none, query: none, body: none, status: 200, errors: [] } as const;
const Item = z.strictObject({ n: z.int(), text: z.string().optional() });
export const smallApi = {
  double: route({
    ...open,
    method: "POST",
    path: "/double/{name}",
    summary: "Twice the number",
    answer: "json",
    params: z.strictObject({ name: z.string().max(5) }),
    query: z.strictObject({ loud: z.stringbool().default(false) }),
    body: z.strictObject({ n: z.int() }),
    response: z.strictObject({ name: z.string(), n: z.int(), loud: z.boolean() }),
    errors: ["pod-not-found", "host-unreachable"],
  }),
  count: route({
    ...open,
    method: "GET",
    path: "/count",
    summary: "Numbers",
    answer: "ndjson",
    response: Item,
    errors: ["pod-not-found"],
  }),
} as const;
export type SmallApi = typeof smallApi;
export type SmallHandlers = Handlers<SmallApi, string>;
export type SmallServerOptions = HttpServerOptions<SmallApi, string>;

interface SmallOverrides extends Partial<Omit<SmallServerOptions, "handlers">> {
  readonly handlers?: Partial<SmallHandlers>;
}

const HANDLERS: SmallHandlers = {
  double: ({ params, query, body }) => ({ name: params.name, n: 2 * body.n, loud: query.loud }),
  async *count() {
    yield* [{ n: 1 }, { n: 2 }];
  },
};

/** Not listening yet; closed when the test is over. */
export async function createSmallServer(over: SmallOverrides = {}) {
  const { log, logged } = loggerToMemory();
  const server = await createHttpServer({
    routes: smallApi,
    authenticate: () => "somebody",
    limits: DEFAULT_LIMITS,
    log,
    ...over,
    handlers: { ...HANDLERS, ...over.handlers },
  });
  onTestFinished(() => server.close());
  return { server, logged };
}

export async function startSmallServer(over: SmallOverrides = {}) {
  const { server, logged } = await createSmallServer(over);
  const port = await server.listen({ host: "127.0.0.1", port: 0 });
  const url = `http://127.0.0.1:${port}`;
  const client = createHttpClient(smallApi, { at: { baseUrl: url }, timeoutMs: 5_000 });
  onTestFinished(() => client.close());
  return { server, port, url, client, logged };
}

/** One request whose answer is JSON. */
export async function post(url: string, body: string, headers: Record<string, string> = {}) {
  const response = await fetch(url, { method: "POST", body, headers });
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Record<string, unknown>,
  };
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** A bare connection that has sent this much. */
export function connect(port: number, text: string): Socket {
  const socket = createConnection(port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.write(text);
  onTestFinished(() => void socket.destroy());
  return socket;
}

/** Everything that comes back until the other side ends it, or the first 10 kB. */
export async function talk(port: number, text: string): Promise<string> {
  let answer = "";
  for await (const chunk of connect(port, text)) {
    answer += String(chunk);
    if (answer.includes("\r\n\r\n{") && answer.endsWith("}")) break;
  }
  return answer;
}
