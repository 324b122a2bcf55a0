/**
 * An HTTP server from a route table. The order is the same for every request: its size; what its head alone tells of who is
 * calling; how many that address sent; only then the body, who is calling by the bytes as they came, what is asked; the
 * handler last. The one file that imports Fastify.
 */
import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { type Duplex, Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";

import { AppError, ERRORS } from "../protocol/errors.ts";
import type { BodyOf, ParamsOf, QueryOf, ResponseOf, Route } from "../protocol/route.ts";
import { networkOf } from "./address-network.ts";
import { type Clock, systemClock } from "./clock.ts";
import { capConnections } from "./connection-cap.ts";
import { judgeFailure, rateLimited, refusalOf, retryAfterOf, translateFailure } from "./http-errors.ts";
import { readInput } from "./http-input.ts";
import type { HttpLimits } from "./http-limits.ts";
import { isPrepared, type Prepared, replyTo } from "./http-prepared.ts";
import { answerNoRequest, dropStalled, isStream } from "./http-sockets.ts";
import { type ListenOn, listenOn } from "./listen.ts";
import type { Logger } from "./logger.ts";
import { afterFirst, NDJSON, toLines } from "./ndjson.ts";
import { Buckets } from "./token-bucket.ts";

/** A request before its body is read. */
export interface RequestHead {
  readonly method: string;
  /** As sent on the wire, with the query. */
  readonly target: string;
  /** Every value that was sent under each name; names in lower case. */
  readonly headers: Readonly<Record<string, string[] | undefined>>;
}

/** A request before anybody has looked into it. */
export interface RawRequest extends RequestHead {
  readonly body: Uint8Array;
}

export interface HttpRequest<R extends Route, Caller> {
  readonly params: ParamsOf<R>;
  readonly query: QueryOf<R>;
  readonly body: BodyOf<R>;
  readonly caller: Caller;
  /** The clock's monotonic time at which the request's head arrived. */
  readonly receivedAtMs: number;
  /** Aborts when the caller is gone, when the deadline has passed and when the server closes. */
  readonly signal: AbortSignal;
}

type Answer<R extends Route> = R["answer"] extends "ndjson"
  ? AsyncIterable<ResponseOf<R>>
  : ResponseOf<R> | Prepared | Promise<ResponseOf<R>>;

/** A route table whose every name the compiler knows. */
type TableOf<T> = { readonly [Name in keyof T]: Route };

/** One function for each route of the table; the compiler asks for a missing one. */
export type Handlers<T extends TableOf<T>, Caller> = {
  readonly [Name in keyof T]: (request: HttpRequest<T[Name], Caller>) => Answer<T[Name]>;
};

/** Routes that know their callers in the same way. */
export interface RouteTable<T extends TableOf<T>, Caller> {
  readonly routes: T;
  readonly handlers: Handlers<T, Caller>;
  /** What the head of a request to a signed route tells already, before its body is read. What it throws is the answer. */
  readonly admit?: (head: RequestHead) => void;
  /** Who is calling. What it throws is the answer, and nothing behind it has run. */
  readonly authenticate: (request: RawRequest) => Caller | Promise<Caller>;
}

export interface HttpServerOptions<T extends TableOf<T>, Caller> extends RouteTable<T, Caller> {
  /** Of other tables, whose callers are known in other ways. */
  readonly more?: readonly BoundRoute[];
  readonly limits: HttpLimits;
  readonly log: Logger;
  /** JSON that anybody may read, by path. */
  readonly documents?: Readonly<Record<`/${string}`, unknown>>;
  readonly clock?: Clock;
}

export interface HttpServer {
  /** Hears of requests for another protocol, which are answered by nobody else. */
  onUpgrade(listener: (request: IncomingMessage, socket: Duplex, head: Buffer) => void): void;
  /**
   * Resolves to the port, or 0 for a unix socket. Throws `already-exists` when somebody else listens there.
   * A unix socket's file is removed on close.
   */
  listen(on: ListenOn): Promise<number>;
  /** Tells handlers by their signal, waits for them for a second, and closes every connection. */
  close(): Promise<void>;
}

const CLOSE_WITHIN_MS = 1_000;
/** A stream that has no item yet gets its head after this long. */
const HEAD_WITHIN_MS = 500;
const CHECK_CONNECTIONS_MS = 5_000;

declare module "fastify" {
  interface FastifyRequest {
    receivedAtMs: number;
  }
  interface FastifyContextConfig {
    admit?: ((head: RequestHead) => void) | undefined;
  }
}

/** What the functions below share. */
interface Context {
  readonly limits: HttpLimits;
  readonly log: Logger;
  readonly clock: Clock;
  /** Every request that is not over. */
  readonly live: Set<AbortController>;
}

export async function createHttpServer<T extends TableOf<T>, Caller>(
  options: HttpServerOptions<T, Caller>,
): Promise<HttpServer> {
  const { limits, more = [], documents = {} } = options;
  const context: Context = { limits, log: options.log, clock: options.clock ?? systemClock(), live: new Set() };
  const app = createApp(context);
  checkHeads(app, context);
  for (const bound of [...boundRoutes(options), ...more]) addRoute(app, context, bound);
  for (const [path, document] of Object.entries(documents)) app.get(path, () => document);
  await app.ready();
  return {
    listen: (on) => listenOn(app.server, on),
    onUpgrade: (listener) => void app.server.on("upgrade", listener),
    close: () => close(app, context),
  };
}

/** A route with its handler behind who may call it. */
export interface BoundRoute {
  readonly route: Route;
  readonly admit: ((head: RequestHead) => void) | undefined;
  readonly work: Work;
}

export function boundRoutes<T extends TableOf<T>, Caller>(table: RouteTable<T, Caller>): BoundRoute[] {
  const { routes, handlers, authenticate, admit } = table;
  const bound: BoundRoute[] = [];
  for (const name in routes) {
    const [route, handler] = [routes[name], handlers[name]];
    const work: Work = async (request, signal) => {
      const { params, query, receivedAtMs } = request;
      const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
      const caller = await authenticate({ ...headOf(request), body });
      return handler({ ...readInput(route, { params, query, body }), caller, receivedAtMs, signal });
    };
    bound.push({ route, admit: route.auth === "signed" ? admit : undefined, work });
  }
  return bound;
}

function createApp({ limits, log, clock }: Context): FastifyInstance {
  const app = fastify({
    bodyLimit: limits.bodyBytes,
    requestTimeout: limits.arrivalMs,
    http: { headersTimeout: limits.headMs, connectionsCheckingInterval: Math.min(CHECK_CONNECTIONS_MS, limits.headMs) },
    exposeHeadRoutes: false,
    return503OnClosing: false,
    genReqId: () => randomUUID(),
    frameworkErrors: (error, request, reply) => void refuse(translateFailure(error), request, reply, log),
    clientErrorHandler: answerNoRequest,
  });
  app.server.maxConnections = limits.connections;
  capConnections(app.server, limits.connectionsPerAddress);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  app.decorateRequest("receivedAtMs", 0);
  app.addHook("onRequest", async (request, reply) => {
    request.receivedAtMs = clock.monotonic();
    reply.raw.setHeader("x-request-id", request.id);
    reply.raw.setHeader("cache-control", "no-store");
  });
  app.setErrorHandler((error, request, reply) => refuse(translateFailure(error), request, reply, log));
  app.setNotFoundHandler((request, reply) => refuse(new AppError("route-not-found"), request, reply, log));
  return app;
}

/** Before anything of the body is read; addresses are counted for paths that do not exist as well. */
function checkHeads(app: FastifyInstance, { limits: { bodyBytes, perAddress }, clock }: Context): void {
  const buckets = perAddress === undefined ? undefined : new Buckets(perAddress);
  app.addHook("onRequest", (request, _reply, done) => {
    if (Number(request.headers["content-length"] ?? 0) > bodyBytes) throw new AppError("body-too-large");
    request.routeOptions.config.admit?.(headOf(request));
    const waitMs = buckets?.take(networkOf(request.ip), clock.monotonic()) ?? 0;
    if (waitMs > 0) throw rateLimited(waitMs);
    done();
  });
}

function headOf({ method, raw }: FastifyRequest): RequestHead {
  return { method, target: raw.url ?? "", headers: raw.headersDistinct };
}

/** From a request to what the handler gave. */
type Work = (request: FastifyRequest, signal: AbortSignal) => Promise<unknown>;

function addRoute(app: FastifyInstance, context: Context, { route, admit, work }: BoundRoute): void {
  app.route({
    method: route.method,
    config: { admit },
    url: route.path.replaceAll(/\{(\w+)\}/g, ":$1"),
    handler: async (request, reply) => {
      const over = new AbortController();
      context.live.add(over);
      reply.raw.once("close", () => {
        context.live.delete(over);
        over.abort();
      });
      const judge = (error: unknown): AppError => judgeFailure(error, route, over.signal);
      try {
        const answer = await inTime(work(request, over.signal), over, context);
        if (isPrepared(answer)) {
          const { status, headers, body } = replyTo(request.headers["if-none-match"], answer, route.status);
          return await reply.code(status).headers(headers).send(body);
        }
        if (route.answer !== "ndjson") return await reply.code(route.status).send(answer);
        return await sendLines({ request, reply, route, answer, judge, signal: over.signal, context });
      } catch (error) {
        return refuse(judge(error), request, reply, context.log);
      }
    },
  });
}

async function inTime<T>(work: Promise<T>, over: AbortController, { clock, limits }: Context): Promise<T> {
  const done = new AbortController();
  const late = clock.sleep(limits.answerMs, done.signal).then(() => {
    over.abort();
    throw new AppError("deadline-exceeded");
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    done.abort();
  }
}

interface Lines {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly route: Route;
  readonly answer: unknown;
  readonly judge: (error: unknown) => AppError;
  readonly signal: AbortSignal;
  readonly context: Context;
}

async function sendLines({ request, reply, route, answer, judge, signal, context }: Lines): Promise<FastifyReply> {
  const { clock, log, limits } = context;
  if (!isStream(answer)) throw new Error(`The handler of ${route.path} gave no stream`);
  const items = await afterFirst(answer, { clock, withinMs: HEAD_WITHIN_MS, signal });
  const lines = toLines(items, (error) => {
    const failure = judge(error);
    logFailure(failure, request, log);
    return refusalOf(failure, request.id).body;
  });
  reply.hijack();
  reply.raw.writeHead(route.status, { "content-type": NDJSON });
  reply.raw.flushHeaders();
  void dropStalled(reply.raw, { clock, everyMs: limits.unreadMs, signal });
  // It fails only when the reader leaves, which is how most streams end.
  await pipeline(Readable.from(lines, { objectMode: false }), reply.raw).catch(() => undefined);
  return reply;
}

function refuse(error: AppError, request: FastifyRequest, reply: FastifyReply, log: Logger): FastifyReply {
  logFailure(error, request, log);
  const { status, body } = refusalOf(error, request.id);
  const retryAfter = retryAfterOf(error);
  if (retryAfter !== undefined) reply.header("retry-after", retryAfter);
  return reply.code(status).send(body);
}

function logFailure(error: AppError, request: FastifyRequest, log: Logger): void {
  const { id: requestId, method, ip } = request;
  const level = error.code === "internal" ? "error" : ERRORS[error.code].status >= 500 ? "warn" : "debug";
  log[level]("request refused", { requestId, method, path: request.routeOptions.url, from: ip, error });
}

async function close(app: FastifyInstance, { live }: Context): Promise<void> {
  for (const over of live) over.abort();
  const timer = setTimeout(() => app.server.closeAllConnections(), CLOSE_WITHIN_MS);
  await app.close();
  clearTimeout(timer);
}
