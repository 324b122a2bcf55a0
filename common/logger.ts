/**
 * The log: one JSON line per event, to stderr. The message is fixed text; everything that varies is a field.
 * Nothing secret is written: fields are redacted by name, and live secrets are scrubbed out of every line.
 * warn = an operator should look; error = something was lost.
 */
import { pino } from "pino";

import { createLiveSecrets, type LiveSecrets } from "./live-secrets.ts";
import { type LogFields, loggable } from "./log-fields.ts";

export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;

export type LogLevel = (typeof LOG_LEVELS)[number];

const LINE_FIELDS: ReadonlySet<string> = new Set(["level", "time", "name", "msg"]);

export type LogMethod = (message: string, fields?: LogFields) => void;

export interface Logger {
  readonly debug: LogMethod;
  readonly info: LogMethod;
  readonly warn: LogMethod;
  readonly error: LogMethod;
  /** A logger that adds these fields to every line; `{ part: "pods" }` by custom. It shares the secrets. */
  child(fields: LogFields): Logger;
  readonly secrets: LiveSecrets;
}

export interface LoggerOptions {
  /** The program's name, in every line. */
  readonly name: string;
  readonly level: LogLevel;
  /** Where lines go; stderr when left out. */
  readonly output?: { write(line: string): unknown };
}

export function createLogger({ name, level, output = process.stderr }: LoggerOptions): Logger {
  const secrets = createLiveSecrets();
  const lines = pino(
    {
      level,
      base: { name },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: {},
    },
    { write: (line) => void output.write(secrets.scrub(line)) },
  );
  return wrap(lines, secrets);
}

function wrap(lines: pino.Logger, secrets: LiveSecrets): Logger {
  const method =
    (level: "debug" | "info" | "warn" | "error"): LogMethod =>
    (message, fields) => {
      if (lines.isLevelEnabled(level)) lines[level](ownFields(fields ?? {}), message);
    };
  return {
    debug: method("debug"),
    info: method("info"),
    warn: method("warn"),
    error: method("error"),
    child: (fields) => wrap(lines.child(ownFields(fields)), secrets),
    secrets,
  };
}

/** A field named like one of the line's own gets an underscore: a line never holds one name twice. */
function ownFields(fields: LogFields): Record<string, unknown> {
  const named = Object.entries(loggable(fields));
  return Object.fromEntries(named.map(([name, value]) => [LINE_FIELDS.has(name) ? `${name}_` : name, value]));
}
