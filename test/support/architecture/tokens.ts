/**
 * Splits TypeScript into tokens, so that the architecture rules see code and not what comments or strings say.
 * Where it loses its way it throws: a file that cannot be read must never count as a file without faults.
 */

export type TokenKind = "comment" | "string" | "template" | "regex" | "number" | "name" | "mark";

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  /** Counted from 1. */
  readonly line: number;
}

const PATTERNS: readonly (readonly [TokenKind, RegExp])[] = [
  ["comment", /\/\/[^\n]*|\/\*[\s\S]*?\*\//y],
  ["string", /"(?:[^"\\\n]|\\[\s\S])*"|'(?:[^'\\\n]|\\[\s\S])*'/y],
  ["regex", /\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y],
  ["name", /[\p{ID_Start}$_#@][\p{ID_Continue}$]*/uy],
  ["number", /\d[\w.]*/y],
  ["mark", /=>|\?\.|\.\.\.|[^\s\w"'`]/y],
];
const TEMPLATE_TEXT = /(?:[^`\\$]|\\[\s\S]|\$(?!\{))*(`|\$\{)/y;

/** After these names a slash begins a regular expression; after any other name it divides. */
const BEFORE_REGEX = new Set([
  "return",
  "typeof",
  "case",
  "in",
  "of",
  "do",
  "else",
  "void",
  "delete",
  "await",
  "yield",
  "throw",
  "new",
]);

export function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  const open: ("{" | "${")[] = [];
  let at = /^#!.*/.exec(source)?.[0].length ?? 0;
  let line = 1;

  function take(kind: TokenKind, text: string): void {
    tokens.push({ kind, text, line });
    at += text.length;
    line += text.split("\n").length - 1;
  }

  while (at < source.length) {
    const char = source.charAt(at);
    if (char === "\n") line += 1;
    if (/\s/.test(char)) {
      at += 1;
    } else if (char === "`" || (char === "}" && open.at(-1) === "${")) {
      if (char === "}") open.pop();
      const text = char + (matchAt(TEMPLATE_TEXT, source, at + 1) ?? lost(line));
      if (text.endsWith("${")) open.push("${");
      take("template", text);
    } else {
      if (char === "{") open.push("{");
      if (char === "}" && open.pop() === undefined) lost(line);
      const [kind, text] = nextToken(source, at, mayBeRegex(tokens)) ?? lost(line);
      take(kind, text);
    }
  }
  return open.length === 0 ? tokens : lost(line);
}

function nextToken(source: string, at: number, regexAllowed: boolean): readonly [TokenKind, string] | undefined {
  for (const [kind, pattern] of PATTERNS) {
    const text = kind === "regex" && !regexAllowed ? undefined : matchAt(pattern, source, at);
    if (text !== undefined) return [kind, text];
  }
  return undefined;
}

function mayBeRegex(before: readonly Token[]): boolean {
  const last = before.findLast(({ kind }) => kind !== "comment");
  if (last === undefined) return true;
  if (last.kind === "name") return BEFORE_REGEX.has(last.text);
  if (last.kind === "template") return last.text.endsWith("${");
  return last.kind === "mark" && ![")", "]", "}"].includes(last.text);
}

function matchAt(pattern: RegExp, source: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(source)?.[0];
}

function lost(line: number): never {
  throw new Error(`line ${line}: not understood as TypeScript`);
}
