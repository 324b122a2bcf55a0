/**
 * A daemon's configuration: a TOML file, with single values overridden by environment variables, checked by one schema.
 * The result is frozen. Every refusal names the file (or the variable) and the key, and never repeats a value.
 */
import { readFile } from "node:fs/promises";

import { parse, TomlError } from "smol-toml";
import { z } from "zod";

import { AppError } from "../protocol/errors.ts";

export interface ConfigSource<Schema extends z.ZodType> {
  readonly file: string;
  /** Whether the file may be missing; the schema's defaults hold then. */
  readonly optional: boolean;
  readonly schema: Schema;
  /** Such as `LIUM_AGENT_`: `LIUM_AGENT_LINK_PORT` then sets `port` in `[link]`. */
  readonly envPrefix: string;
  /** Variables with the prefix that mean something else. Any other unknown one is refused. */
  readonly otherVariables?: readonly string[];
  readonly env?: Readonly<Record<string, string | undefined>>;
}

type KeyPath = readonly string[];

interface Setting {
  readonly path: KeyPath;
  readonly type: "string" | "number" | "boolean";
}

interface Problem {
  readonly key: string;
  readonly problem: string;
}

/** Reads, overrides, checks and freezes. Throws `config-invalid`. */
export async function loadConfig<Schema extends z.ZodType>(source: ConfigSource<Schema>): Promise<z.output<Schema>> {
  const tree = await readToml(source.file, source.optional);
  const overrides = readOverrides(source);
  for (const { path, value } of overrides.values()) put(tree, path, value);

  const result = source.schema.safeParse(tree);
  if (result.success) return deepFreeze(result.data);

  const variables = new Map([...overrides].map(([variable, { path }]) => [path.join("."), variable]));
  const problems = result.error.issues.flatMap(describe);
  throw invalid(
    source.file,
    problems.map(({ key, problem }) => ({ key: variables.get(key) ?? key, problem })),
  );
}

async function readToml(file: string, optional: boolean): Promise<Record<string, unknown>> {
  try {
    return parse(await readFile(file, "utf8"));
  } catch (error) {
    if (error instanceof TomlError) {
      const [reason = "not TOML"] = error.message.split("\n");
      throw invalid(file, [{ key: `line ${error.line}, column ${error.column}`, problem: reason }]);
    }
    if (optional && isMissing(error)) return {};
    throw new AppError("config-invalid", { message: `${file} cannot be read`, details: { file }, cause: error });
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

function readOverrides(source: ConfigSource<z.ZodType>): Map<string, { path: KeyPath; value: unknown }> {
  const { schema, envPrefix, otherVariables = [], env = process.env } = source;
  const known = settings(schema, envPrefix);
  const given = Object.entries(env).filter(
    ([variable]) => variable.startsWith(envPrefix) && !otherVariables.includes(variable),
  );

  const unknown = given.filter(([variable]) => !known.has(variable));
  if (unknown.length > 0) {
    throw invalid(
      "environment",
      unknown.map(([key]) => ({ key, problem: "sets no key of the configuration" })),
    );
  }
  return new Map(
    given.flatMap(([variable, text]) => {
      const setting = known.get(variable);
      if (setting === undefined || text === undefined) return [];
      return [[variable, { path: setting.path, value: parsed(text, setting.type) }] as const];
    }),
  );
}

/** What is not a number or a truth value stays text, and the schema says what is wrong with it. */
function parsed(text: string, type: Setting["type"]): unknown {
  if (type === "boolean" && (text === "true" || text === "false")) return text === "true";
  if (type === "number" && text.trim() !== "" && Number.isFinite(Number(text))) return Number(text);
  return text;
}

/** The settings of a schema that hold a single value, by the variable that overrides each. */
function settings(schema: z.ZodType, prefix: string): ReadonlyMap<string, Setting> {
  const root = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  return new Map(leaves(root, []).map((setting) => [prefix + variableName(setting.path), setting]));
}

const JsonType = z.union([z.string(), z.array(z.string())]).transform((type) => [type].flat());

const JsonNode = z.looseObject({
  type: JsonType.optional(),
  anyOf: z.array(z.looseObject({ type: JsonType.optional() })).optional(),
  properties: z.record(z.string(), z.unknown()).optional(),
});

function leaves(schema: unknown, path: KeyPath): Setting[] {
  const { type, anyOf, properties = {} } = JsonNode.parse(schema);
  const types = new Set([type, anyOf?.map((branch) => branch.type ?? "anything")].flat(2));
  types.delete(undefined);
  types.delete("null");
  const [only] = types;
  if (types.size !== 1) return [];
  if (only === "object") return Object.entries(properties).flatMap(([key, inner]) => leaves(inner, [...path, key]));
  if (only === "string" || only === "boolean") return [{ path, type: only }];
  if (only === "number" || only === "integer") return [{ path, type: "number" }];
  return [];
}

/** `["link", "idleTimeoutMs"]` is `LINK_IDLE_TIMEOUT_MS`. */
function variableName(path: KeyPath): string {
  return path.map((key) => key.replaceAll(/([a-z0-9])([A-Z])/g, "$1_$2").toUpperCase()).join("_");
}

/** Where a table is missing it is made; where something else stands in its place, the schema will say so. */
function put(tree: Record<string, unknown>, path: KeyPath, value: unknown): void {
  const [key, ...rest] = path;
  if (key === undefined) return;
  if (rest.length === 0) {
    tree[key] = value;
    return;
  }
  const table = tree[key] ?? {};
  tree[key] = table;
  if (isTable(table)) put(table, rest, value);
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function describe(issue: z.core.$ZodIssue): Problem[] {
  const key = issue.path.join(".");
  if (issue.code !== "unrecognized_keys") return [{ key, problem: issue.message }];
  return issue.keys.map((unknown) => ({ key: [...issue.path, unknown].join("."), problem: "unknown key" }));
}

function invalid(file: string, problems: readonly Problem[]): AppError {
  const lines = problems.map(({ key, problem }) => `${key}: ${problem}`);
  return new AppError("config-invalid", { message: `${file}: ${lines.join("; ")}`, details: { file, problems } });
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
  for (const inner of Object.values(value)) deepFreeze(inner);
  return Object.freeze(value);
}
