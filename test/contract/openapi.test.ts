/** The OpenAPI documents hold together, and the listener serves the one that describes it. */
import { describe, expect, it } from "vitest";

import { challengeApi } from "../../protocol/challenge/exchange.ts";
import { ERRORS } from "../../protocol/errors.ts";
import { errorsOf, openApiDocument } from "../../protocol/openapi.ts";
import { operatorApi } from "../../protocol/operator-api.ts";
import type { Route } from "../../protocol/route.ts";
import { healthApi, validatorApi } from "../../protocol/validator-api.ts";
import { AGENT, startValidatorListener } from "../support/api-servers.ts";

interface Operation {
  readonly operationId: string;
  readonly parameters: { readonly in: string; readonly name: string; readonly required: boolean }[];
  readonly requestBody?: object;
  readonly responses: Record<string, { readonly description: string; readonly content: object }>;
}

interface Document {
  readonly openapi: string;
  readonly info: object;
  readonly paths: Record<string, Record<string, Operation>>;
}

const info = { title: "t", version: "1", description: "d" };
const TABLES: [string, Readonly<Record<string, Route>>][] = [
  ["validator", { ...validatorApi, ...challengeApi, ...healthApi }],
  ["operator", operatorApi],
];

function operationsOf(document: Document) {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
}

function refsIn(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => (key === "$ref" ? [String(inner)] : refsIn(inner)));
}

function resolve(document: unknown, ref: string): unknown {
  const steps = ref.replace("#/", "").split("/");
  return steps.reduce<unknown>((at, step) => (at as Record<string, unknown> | undefined)?.[step], document);
}

describe.each(TABLES)("the OpenAPI document of the %s API", (_, routes) => {
  const document = JSON.parse(JSON.stringify(openApiDocument(info, routes))) as Document;
  const operations = operationsOf(document);

  it("has every route once, under its own name", () => {
    expect(operations.map(({ operation }) => operation.operationId).toSorted()).toEqual(Object.keys(routes).toSorted());
    expect(document).toMatchObject({ openapi: "3.1.0", info });
  });

  it("resolves all of its references", () => {
    const refs = refsIn(document);

    expect(refs.length).toBeGreaterThan(0);
    expect(refs.filter((ref) => typeof resolve(document, ref) !== "object")).toEqual([]);
  });

  it("declares exactly the parameters that stand in each path", () => {
    for (const { path, operation } of operations) {
      const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const declared = operation.parameters.filter((one) => one.in === "path");

      expect(declared.map(({ name }) => name)).toEqual(named);
      expect(declared.every(({ required }) => required)).toBe(true);
    }
  });

  it("explains every code that a route may answer with, under its status", () => {
    for (const { operation } of operations) {
      for (const code of errorsOf(routes[operation.operationId] as Route)) {
        expect(operation.responses[ERRORS[code].status]?.description).toContain(`\`${code}\``);
      }
    }
  });

  it("names nothing but JSON Schema that JSON can hold", () => {
    expect(JSON.stringify(document)).not.toContain("undefined");
    expect(refsIn(document).every((ref) => ref.startsWith("#/"))).toBe(true);
  });
});

describe("the validator listener", () => {
  it("shows its document and its hotkey to anybody, and no other route", async () => {
    await using listener = await startValidatorListener();

    const document = (await (await fetch(`${listener.url}/openapi.json`)).json()) as Document;
    const health = await (await fetch(`${listener.url}/healthz`)).json();
    const capacity = await fetch(`${listener.url}/v1/capacity`);

    expect(operationsOf(document).length).toBe(Object.keys({ ...validatorApi, ...challengeApi, ...healthApi }).length);
    expect(healthApi.health.response.parse(health)).toMatchObject({ hotkey: AGENT.ss58 });
    expect(capacity.status).toBe(401);
    expect(listener.calls).toEqual([]);
  });
});
