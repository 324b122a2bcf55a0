/**
 * What a source file imports. Every target has one name: a path in the project (`common/clock.ts`),
 * a part of Node (`node:fs`) or a package (`npm:zod`). An import whose target is computed is named `computed`.
 */
import { builtinModules } from "node:module";
import { posix } from "node:path";

import type { Token } from "./tokens.ts";

export interface Import {
  readonly target: string;
  readonly line: number;
  /** `import type` and `export type`: gone when the program runs. */
  readonly typeOnly: boolean;
}

/** `tokens` without comments, of the file at `path`. */
export function importsOf(path: string, tokens: readonly Token[]): Import[] {
  return tokens.flatMap(({ kind, text, line }, at) => {
    if (kind !== "name" || isMember(tokens, at)) return [];
    const specifier = specifierAt(text, tokens, at + 1);
    if (specifier === undefined) return [];
    const typeOnly = tokens[at + 1]?.text === "type" && tokens[at + 2]?.text !== "from";
    return [{ target: targetOf(specifier, path), line, typeOnly }];
  });
}

const COMPUTED = "\0computed";

/** The specifier that belongs to the keyword `word`, when the tokens from `next` on make it an import. */
function specifierAt(word: string, tokens: readonly Token[], next: number): string | undefined {
  const first = tokens[next];
  if (first === undefined) return undefined;
  if (word === "import" && first.kind === "string") return unquoted(first);
  if ((word === "import" || word === "require") && first.text === "(") return argument(tokens, next + 1);
  if (word === "import" || (word === "export" && ["*", "{", "type"].includes(first.text)))
    return afterFrom(tokens, next);
  return undefined;
}

function argument(tokens: readonly Token[], at: number): string {
  const [value, end] = [tokens[at], tokens[at + 1]];
  const isWhole = end?.text === ")" || end?.text === ",";
  if (value?.kind === "string" && isWhole) return unquoted(value);
  return COMPUTED;
}

/** Import and export clauses hold only names, commas, stars, braces and strings; anything else ends the search. */
function afterFrom(tokens: readonly Token[], start: number): string | undefined {
  for (let at = start; at < tokens.length; at += 1) {
    const token = tokens[at];
    const next = tokens[at + 1];
    if (token?.text === "from" && next?.kind === "string") return unquoted(next);
    if (token === undefined || !(token.kind === "name" || token.kind === "string" || /^[*{},]$/.test(token.text)))
      return undefined;
    if (token.text === "}" && next?.text !== "from") return undefined;
  }
  return undefined;
}

function isMember(tokens: readonly Token[], at: number): boolean {
  const before = tokens[at - 1]?.text;
  return before === "." || before === "?.";
}

function unquoted(token: Token): string {
  return token.text.slice(1, -1);
}

function targetOf(specifier: string, from: string): string {
  if (specifier === COMPUTED) return "computed";
  if (specifier.startsWith(".")) return posix.join(posix.dirname(from), specifier);
  if (specifier.startsWith("node:")) return specifier;
  if (builtinModules.includes(specifier)) return `node:${specifier}`;
  const parts = specifier.split("/");
  return `npm:${parts.slice(0, specifier.startsWith("@") ? 2 : 1).join("/")}`;
}
