/**
 * What an older version knows of a record, as a tree of names, and the record cut down to it: for programs that refuse
 * fields they do not know.
 */

/** `true`: the field with all that is in it. A list is gone through item by item. */
export interface Fields {
  readonly [name: string]: true | Fields;
}

export function keepKnown(fields: Fields, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => keepKnown(fields, item));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, inner]) => {
      const known = fields[name];
      if (known === undefined) return [];
      return [[name, known === true ? inner : keepKnown(known, inner)]];
    }),
  );
}
