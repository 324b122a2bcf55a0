/**
 * Makes anything fit to be logged: plain data, errors with their causes, and no value whose name says it is secret.
 * Of objects with a class of their own only the name is kept: sockets and clients would drag half the process in.
 */

export interface LogFields {
  readonly [name: string]: unknown;
}

const SECRET_NAME =
  /(authorization|cookie|credentials?|env|environment|mnemonic|passphrase|password|privatekey|registryauth|secret|secretkey|seed|token)s?$/;
const REDACTED = "[redacted]";
const DEEPEST = 6;
const LONGEST_TEXT = 8192;

export function loggable(fields: LogFields): Record<string, unknown> {
  return namedValues(Object.entries(fields), 0);
}

function namedValues(entries: readonly (readonly [string, unknown])[], depth: number): Record<string, unknown> {
  return Object.fromEntries(
    entries.map(([name, value]) => [name, isSecretName(name) ? REDACTED : plain(value, depth + 1)]),
  );
}

function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name.toLowerCase().replaceAll(/[-_]/g, ""));
}

function plain(value: unknown, depth: number): unknown {
  if (typeof value === "string") return value.length > LONGEST_TEXT ? `${value.slice(0, LONGEST_TEXT)}…` : value;
  if (typeof value === "bigint" || typeof value === "symbol") return value.toString();
  if (typeof value === "function") return "[function]";
  if (typeof value !== "object" || value === null) return value;
  if (depth > DEEPEST) return "[too deep]";
  if (value instanceof Error) return plainError(value, depth);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "[no date]" : value.toISOString();
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (value instanceof Map)
    return namedValues(
      Array.from(value, ([key, item]) => [String(key), item]),
      depth,
    );
  if (Array.isArray(value) || value instanceof Set) return Array.from(value, (item) => plain(item, depth + 1));
  if (!isPlainObject(value)) return `[${value.constructor.name}]`;
  return namedValues(Object.entries(value), depth);
}

/** An error's own fields (code, details) count; its stack already holds its name and message. */
function plainError(error: Error, depth: number): Record<string, unknown> {
  const own = Object.entries(error).filter(([name]) => name !== "name" && name !== "cause");
  const { name: type, message, stack, cause } = error;
  const parts = error instanceof AggregateError ? { errors: plain(error.errors, depth + 1) } : {};
  return {
    ...namedValues(own, depth),
    ...parts,
    type,
    message,
    stack,
    ...(cause === undefined ? {} : { cause: plain(cause, depth + 1) }),
  };
}

function isPlainObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
