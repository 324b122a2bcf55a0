/**
 * What a request asks, read by the schemas of its route: parameters, query and JSON body, all of them or a refusal.
 */
import type { z } from "zod";

import { AppError } from "../protocol/errors.ts";
import type { BodyOf, ParamsOf, QueryOf, Route } from "../protocol/route.ts";

const MAX_ISSUES = 20;

export interface RawInput {
  readonly params: unknown;
  readonly query: unknown;
  /** JSON, whatever its content type says; nothing at all stands for no fields. */
  readonly body: Buffer;
}

export interface Input<R extends Route> {
  readonly params: ParamsOf<R>;
  readonly query: QueryOf<R>;
  readonly body: BodyOf<R>;
}

/** Throws `invalid-request`; `details.issues` has the path and the complaint of each. Values are not repeated. */
export function readInput<R extends Route>(route: R, raw: RawInput): Input<R> {
  const params = readPart<R["params"]>(route.params, raw.params);
  const query = readPart<R["query"]>(route.query, raw.query);
  const body = readPart<R["body"]>(route.body, parseJson(raw.body));
  if (params.success && query.success && body.success) {
    return { params: params.data, query: query.data, body: body.data };
  }
  const issues = [...issuesOf("params", params), ...issuesOf("query", query), ...issuesOf("body", body)];
  const [first] = issues;
  throw new AppError("invalid-request", {
    message: first === undefined ? "The request is invalid." : `${first.path}: ${first.message}.`,
    details: { issues: issues.slice(0, MAX_ISSUES) },
  });
}

function readPart<S extends z.ZodType>(schema: S, value: unknown): z.ZodSafeParseResult<z.output<S>> {
  return schema.safeParse(value);
}

function parseJson(body: Buffer): unknown {
  if (body.length === 0) return {};
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    throw new AppError("invalid-request", { message: "The body is not JSON in UTF-8." });
  }
}

function issuesOf(part: string, result: z.ZodSafeParseResult<unknown>): { path: string; message: string }[] {
  const issues = result.error?.issues ?? [];
  return issues.map(({ path, message }) => ({ path: [part, ...path].join("."), message: message.replace(/\.$/, "") }));
}
