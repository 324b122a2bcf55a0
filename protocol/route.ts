/**
 * One route, one truth: server, client, OpenAPI and the contract tests all derive from these tables.
 * A handler may answer only with its `response` and fail only with its `errors` or with those that every route can give.
 */
import type { z } from "zod";

import type { ErrorCode } from "./errors.ts";

export interface Route<
  Params extends z.ZodType = z.ZodType,
  Query extends z.ZodType = z.ZodType,
  Body extends z.ZodType = z.ZodType,
  Response extends z.ZodType = z.ZodType,
> {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** With parameters in braces: `/v1/pods/{podId}`. */
  readonly path: `/${string}`;
  readonly summary: string;
  /** `signed`: btauth/1. `open`: anybody who reaches the listener. */
  readonly auth: "signed" | "open";
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly response: Response;
  /** `json`: one value. `ndjson`: a stream of values, one a line, until either side ends it. `text`: a string as it is. */
  readonly answer: "json" | "ndjson" | "text";
  readonly status: 200 | 201 | 202;
  /** Whether the answer has an ETag, and If-None-Match with it is answered with 304. */
  readonly conditional?: true;
  readonly errors: readonly ErrorCode[];
}

export type RouteTable = Readonly<Record<string, Route>>;

/** What every route may answer besides its own errors. */
export const COMMON_ERRORS = [
  "invalid-request",
  "body-too-large",
  "rate-limited",
  "deadline-exceeded",
  "internal",
] as const;
/** What every signed route may answer on top. */
export const AUTH_ERRORS = [
  "auth-malformed",
  "auth-scheme-refused",
  "auth-wrong-receiver",
  "auth-stale",
  "auth-future",
  "auth-bad-signature",
  "auth-replayed",
  "auth-hotkey-not-allowed",
] as const;

export type ParamsOf<R extends Route> = z.output<R["params"]>;
export type QueryOf<R extends Route> = z.output<R["query"]>;
export type BodyOf<R extends Route> = z.output<R["body"]>;
export type ResponseOf<R extends Route> = z.output<R["response"]>;
export type BodyInputOf<R extends Route> = z.input<R["body"]>;
export type QueryInputOf<R extends Route> = z.input<R["query"]>;
export type ParamsInputOf<R extends Route> = z.input<R["params"]>;

/** Declares a route and keeps its exact types, also whether it answers with one value or a stream. */
export function route<const R extends Route>(definition: R): R {
  return definition;
}
