/**
 * What commands print: one JSON document (or one a line) with --json, else text; colour only on a terminal, errors on stderr.
 * Text that came from elsewhere cannot steer the terminal.
 */
import { stripVTControlCharacters, styleText } from "node:util";

import { type AppError, ERRORS, toAppError } from "../../protocol/errors.ts";
import type { Clock } from "../clock.ts";

export interface Sink {
  write(text: string): unknown;
  readonly isTTY?: boolean;
}

/** The world that the commands run in; tests give their own. */
export interface CliHost {
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Aborts at Ctrl-C. Only commands that ask for it are spared an instant end. */
  interrupted(): AbortSignal;
}

export const EXIT = { ok: 0, failed: 1, usage: 2, unreachable: 3, interrupted: 130 } as const;

export const EXIT_HELP = `
Exit codes: 0 done; 1 refused or failed; 2 wrong usage; 3 the agent cannot be reached; 130 interrupted.
Errors go to stderr with their code, what they mean and what to do; with --json as {"error": {...}}.`;

export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";
/** Colours text, or leaves it as it is where nobody sees colours. */
export type Paint = (style: Style, text: string) => string;

export interface Output {
  readonly json: boolean;
  /** The one thing that a command is about. */
  result(value: unknown, text: (paint: Paint) => string): void;
  /** One of many, as they come. */
  item(value: unknown, text: (paint: Paint) => string): void;
  /** For people alone. */
  note(text: string): void;
  /** Prints what went wrong and gives the exit code. */
  failure(error: unknown): number;
  /** Where progress may be drawn: a terminal that shows text. */
  readonly progress: Sink | undefined;
}

/** What every command is made with. */
export interface Commands {
  readonly host: CliHost;
  readonly output: Output;
}

export function createOutput({ stdout, stderr, env }: CliHost, json: boolean): Output {
  const print = (value: unknown, text: (paint: Paint) => string): void => {
    stdout.write(`${json ? JSON.stringify(value) : text(paintOf(stdout, env))}\n`);
  };
  return {
    json,
    result: print,
    item: print,
    note: (text) => {
      if (!json) stderr.write(`${text}\n`);
    },
    failure: (thrown) => {
      const error = toAppError(thrown);
      stderr.write(
        `${json ? JSON.stringify({ error: failureDocument(error) }) : failureText(error, paintOf(stderr, env))}\n`,
      );
      return error.code === "connection-failed" ? EXIT.unreachable : EXIT.failed;
    },
    progress: !json && stderr.isTTY === true ? stderr : undefined,
  };
}

function paintOf(sink: Sink, env: CliHost["env"]): Paint {
  const isPlain = sink.isTTY !== true || (env["NO_COLOR"] ?? "") !== "";
  return (style, text) => (isPlain ? text : styleText(style, text, { validateStream: false }));
}

function failureDocument({ code, message, details }: AppError): object {
  const { impact, remedy } = ERRORS[code];
  return { code, message, impact, remedy, details };
}

function failureText(error: AppError, paint: Paint): string {
  const { impact, remedy } = ERRORS[error.code];
  const what = error.message === impact ? error.code : `${printable(error.message)} (${error.code})`;
  const lines = [`${paint("red", "error:")} ${what}`, `  ${impact}`, `  ${remedy}`];
  const details = Object.entries(error.details);
  lines.push(...details.map(([name, value]) => paint("dim", `  ${name}: ${printable(JSON.stringify(value) ?? "")}`)));
  return lines.join("\n");
}

/** Without anything that moves a cursor, changes a colour or turns the direction of writing. */
export function printable(text: string): string {
  return stripVTControlCharacters(text).replaceAll(/[\p{Cc}\u202A-\u202E\u2066-\u2069]/gu, (one) =>
    one === "\t" ? one : "",
  );
}
