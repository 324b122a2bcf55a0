/**
 * A typed HTTP client from a route table, over a port or a unix socket. Every request has a deadline and takes a signal,
 * nothing is tried twice, and a refusal comes back as the AppError that the other side threw. The one file that imports undici.
 */
import { type Dispatcher, Pool } from "undici";

import { AppError } from "../protocol/errors.ts";
import type { BodyInputOf, ParamsInputOf, QueryInputOf, ResponseOf, Route } from "../protocol/route.ts";
import { errorFromRefusal } from "./http-errors.ts";
import { fromLines } from "./ndjson.ts";

/** What goes over the wire, for who signs it. */
export interface OutgoingRequest {
  readonly method: string;
  /** With the query, as it will be sent. */
  readonly target: string;
  readonly body: Uint8Array;
}

export interface HttpClientOptions {
  readonly at: { readonly baseUrl: string } | { readonly socketPath: string };
  /** The headers that authenticate a request; asked anew for each. */
  readonly sign?: (request: OutgoingRequest) => Readonly<Record<string, string>>;
  /** For a whole `json` answer, and for the head of a stream. */
  readonly timeoutMs: number;
}

type IfAny<Name extends string, Part> =
  Record<string, never> extends Part ? { readonly [Key in Name]?: Part } : { readonly [Key in Name]: Part };

/** What a route takes; a part without required fields may be left out. */
export type CallInput<R extends Route> = IfAny<"params", ParamsInputOf<R>> &
  IfAny<"query", QueryInputOf<R>> &
  IfAny<"body", BodyInputOf<R>>;

type CallResult<R extends Route> = R["answer"] extends "ndjson" ? AsyncIterable<ResponseOf<R>> : Promise<ResponseOf<R>>;

type TableOf<T> = { readonly [Name in keyof T]: Route };

/** One method for each route. It throws what the route refuses, `connection-failed` and `deadline-exceeded`. */
export type HttpClient<T extends TableOf<T>> = {
  readonly [Name in keyof T]: (input: CallInput<T[Name]>, signal?: AbortSignal) => CallResult<T[Name]>;
} & {
  /** Ends what is under way and lets go of every connection. */
  close(): Promise<void>;
};

type Fields = Readonly<Record<string, unknown>>;

interface LooseInput {
  readonly params?: Fields;
  readonly query?: Fields;
  readonly body?: unknown;
}

interface Call {
  readonly pool: Pool;
  readonly route: Route;
  readonly options: HttpClientOptions;
  readonly input: LooseInput;
  readonly signal: AbortSignal | undefined;
}

const CONNECT_WITHIN_MS = 10_000;
const MAX_ANSWER_CHARACTERS = 64 * 2 ** 20;

/** Throws `invalid-request` when the base URL is not `http://host:port` or the same with https. */
export function createHttpClient<T extends TableOf<T>>(routes: T, options: HttpClientOptions): HttpClient<T>;
export function createHttpClient(routes: Record<string, Route>, options: HttpClientOptions): object {
  const pool = openPool(options.at);
  const calls = Object.fromEntries(
    Object.entries(routes).map(([name, route]) => {
      const run = route.answer === "ndjson" ? callStream : callOnce;
      return [name, (input: LooseInput, signal?: AbortSignal) => run({ pool, route, options, input, signal })];
    }),
  );
  return { ...calls, close: () => pool.destroy() };
}

function openPool(at: HttpClientOptions["at"]): Pool {
  const shared = { timeout: CONNECT_WITHIN_MS };
  if ("socketPath" in at) return new Pool("http://localhost", { connect: { ...shared, socketPath: at.socketPath } });
  const url = URL.parse(at.baseUrl);
  if (url === null || !/^https?:$/.test(url.protocol) || url.href !== `${url.origin}/`) {
    throw new AppError("invalid-request", { message: `${at.baseUrl} is not a URL such as http://host:port.` });
  }
  return new Pool(url.origin, { connect: shared, allowH2: false });
}

async function callOnce(call: Call): Promise<unknown> {
  const deadline = AbortSignal.timeout(call.options.timeoutMs);
  try {
    const signal = call.signal === undefined ? deadline : AbortSignal.any([call.signal, deadline]);
    const { body } = await send(call, signal);
    return readAnswer(call.route, await (call.route.answer === "text" ? readText(body) : readJson(body)));
  } catch (error) {
    throw explain(error, call, deadline);
  }
}

async function* callStream(call: Call): AsyncGenerator<unknown, void> {
  try {
    const { body } = await send(call, call.signal);
    for await (const value of fromLines(body)) yield readAnswer(call.route, value);
  } catch (error) {
    throw explain(error, call);
  }
}

/** Resolves when the head of a success is here. */
async function send(call: Call, signal: AbortSignal | undefined): Promise<Dispatcher.ResponseData> {
  const { pool, route, options, input } = call;
  const { method } = route;
  const target = targetOf(route, input);
  const body = Buffer.from(input.body === undefined ? "" : JSON.stringify(input.body));
  const response = await pool.request({
    method,
    path: target,
    headers: { ...options.sign?.({ method, target, body }), "content-type": "application/json" },
    body,
    headersTimeout: options.timeoutMs,
    bodyTimeout: 0,
    signal: signal ?? null,
  });
  if (response.statusCode === route.status) return response;
  throw errorFromRefusal(response.statusCode, await readJson(response.body));
}

function targetOf(route: Route, { params = {}, query = {} }: LooseInput): string {
  const path = route.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(params[name])));
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  const search = new URLSearchParams(
    Object.fromEntries(given.map(([name, value]) => [name, String(value)])),
  ).toString();
  return search === "" ? path : `${path}?${search}`;
}

/** Undefined when it is no JSON. */
async function readJson(body: AsyncIterable<Uint8Array>): Promise<unknown> {
  const text = await readText(body);
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function readText(body: AsyncIterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > MAX_ANSWER_CHARACTERS) throw new AppError("internal", { message: "The answer is too long." });
  }
  return text;
}

function readAnswer(route: Route, value: unknown): unknown {
  const answer = route.response.safeParse(value);
  if (answer.success) return answer.data;
  throw new AppError("internal", {
    message: `The answer to ${route.method} ${route.path} is not what this version expects.`,
    details: { issues: answer.error.issues.map(({ path, message }) => ({ path: path.join("."), message })) },
  });
}

/** The caller's own abort stays what it is. */
function explain(error: unknown, { options: { at }, signal }: Call, deadline?: AbortSignal): unknown {
  if (error instanceof AppError) return error;
  if (signal?.aborted === true) return signal.reason;
  const where = "socketPath" in at ? at.socketPath : at.baseUrl;
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
  if (deadline?.aborted === true || code === "UND_ERR_HEADERS_TIMEOUT") {
    return new AppError("deadline-exceeded", { message: `${where} did not answer in time.`, cause: error });
  }
  const message = `${where} cannot be reached or broke off (${code}).`;
  return new AppError("connection-failed", { message, details: { code }, cause: error });
}
