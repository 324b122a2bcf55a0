/**
 * An OpenAPI 3.1 document from a route table.
 */
import { z } from "zod";

import { ERRORS, type ErrorCode } from "./errors.ts";
import { AUTH_ERRORS, COMMON_ERRORS, type Route, type RouteTable } from "./route.ts";

/** The body of every refusal. */
export const ErrorBody = z.strictObject({
  code: z.string(),
  message: z.string(),
  impact: z.string(),
  remedy: z.string(),
  requestId: z.string(),
  details: z.record(z.string(), z.unknown()).optional(),
});
export type ErrorBody = z.infer<typeof ErrorBody>;

const CONTENT_TYPES = { json: "application/json", ndjson: "application/x-ndjson", text: "text/plain" } as const;

type Json = Record<string, unknown>;

const IF_NONE_MATCH: Json = { in: "header", name: "If-None-Match", required: false, schema: { type: "string" } };

export function openApiDocument(
  info: { title: string; version: string; description: string },
  routes: RouteTable,
): Json {
  const paths: Record<string, Json> = {};
  for (const [operationId, route] of Object.entries(routes)) {
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operation(operationId, route) };
  }
  return { openapi: "3.1.0", info, paths, components: { schemas: { Error: schemaOf(ErrorBody, "output") } } };
}

/** Every code that a route may answer with. */
export function errorsOf(route: Route): ErrorCode[] {
  return [...new Set([...route.errors, ...COMMON_ERRORS, ...(route.auth === "signed" ? AUTH_ERRORS : [])])];
}

function operation(operationId: string, route: Route): Json {
  const body = schemaOf(route.body, "input");
  const contentType = CONTENT_TYPES[route.answer];
  return {
    operationId,
    summary: route.summary,
    parameters: [
      ...parameters("path", route.params),
      ...parameters("query", route.query),
      ...signatureHeaders(route),
      ...(route.conditional === true ? [IF_NONE_MATCH] : []),
    ],
    ...(hasFields(body) ? { requestBody: { required: true, content: { "application/json": { schema: body } } } } : {}),
    responses: {
      [route.status]: {
        description: "Success",
        content: { [contentType]: { schema: schemaOf(route.response, "output") } },
      },
      ...(route.conditional === true ? { 304: { description: "As the ETag in If-None-Match says it was" } } : {}),
      ...refusals(errorsOf(route)),
    },
  };
}

function signatureHeaders(route: Route): Json[] {
  if (route.auth === "open") return [];
  const names = ["Version", "Hotkey", "Receiver", "Nonce", "Signature"];
  return names.map((name) => ({
    in: "header",
    name: `X-Bittensor-${name}`,
    required: true,
    schema: { type: "string" },
  }));
}

function parameters(place: "path" | "query", schema: z.ZodType): Json[] {
  const { properties = {}, required = [] } = z
    .object({ properties: z.record(z.string(), z.unknown()).optional(), required: z.array(z.string()).optional() })
    .parse(schemaOf(schema, "input"));
  return Object.entries(properties).map(([name, property]) => ({
    in: place,
    name,
    required: place === "path" || required.includes(name),
    schema: property,
  }));
}

function refusals(codes: readonly ErrorCode[]): Json {
  const byStatus = Map.groupBy(codes, (code) => ERRORS[code].status);
  const schema = { $ref: "#/components/schemas/Error" };
  return Object.fromEntries(
    [...byStatus].map(([status, group]) => [
      status,
      {
        description: group.map((code) => `\`${code}\`: ${ERRORS[code].impact} ${ERRORS[code].remedy}`).join("\n\n"),
        content: { "application/json": { schema } },
      },
    ]),
  );
}

function schemaOf(schema: z.ZodType, io: "input" | "output"): Json {
  const { $schema: _, ...json } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  return json;
}

function hasFields(schema: Json): boolean {
  return Object.keys(z.record(z.string(), z.unknown()).catch({}).parse(schema["properties"])).length > 0;
}
