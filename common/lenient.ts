/**
 * Reading what a newer version may have written: fields that this version does not know are left out, all else is checked
 * as ever. It is for our own state alone; what comes from outside is read strictly.
 */
import type { z } from "zod";

/** One round for every level at which something unknown may hide behind something unknown. */
const ROUNDS = 8;

/** Undefined when the value does not fit the schema for another reason than fields too many. */
export function parseKnown<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> | undefined {
  let known = value;
  for (let round = 0; round < ROUNDS; round += 1) {
    const { success, data, error } = schema.safeParse(known);
    if (success) return data;
    const unknown = error.issues.flatMap((issue) =>
      issue.code === "unrecognized_keys" ? issue.keys.map((key) => [...issue.path, key]) : [],
    );
    if (unknown.length === 0) return undefined;
    known = structuredClone(known);
    for (const path of unknown) remove(known, path);
  }
  return undefined;
}

/** The same for JSON; undefined also when the text is none. */
export function readKnown<Schema extends z.ZodType>(schema: Schema, text: unknown): z.output<Schema> | undefined {
  if (typeof text !== "string") return undefined;
  try {
    return parseKnown(schema, JSON.parse(text));
  } catch {
    return undefined;
  }
}

function remove(value: unknown, [first, ...rest]: readonly PropertyKey[]): void {
  if (typeof value !== "object" || value === null || first === undefined) return;
  if (rest.length === 0) Reflect.deleteProperty(value, first);
  else remove(Reflect.get(value, first), rest);
}
