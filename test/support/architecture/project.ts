/**
 * The project as the architecture rules see it: its text files, and its TypeScript with tokens and imports.
 * Made from paths and texts alone, so that the rules can be tried on trees that exist nowhere.
 */
import { type Import, importsOf } from "./imports.ts";
import { type Token, tokenize } from "./tokens.ts";

export interface TextFile {
  /** Relative to the project, with slashes. */
  readonly path: string;
  readonly source: string;
}

export interface SourceFile extends TextFile {
  /** Without comments. */
  readonly tokens: readonly Token[];
  readonly imports: readonly Import[];
}

export interface Project {
  readonly texts: readonly TextFile[];
  readonly sources: readonly SourceFile[];
}

/** Throws when a TypeScript file cannot be split into tokens. */
export function projectOf(texts: readonly TextFile[]): Project {
  const sources = texts.filter(({ path }) => path.endsWith(".ts")).map(sourceFile);
  return { texts, sources };
}

function sourceFile(file: TextFile): SourceFile {
  try {
    const tokens = tokenize(file.source).filter(({ kind }) => kind !== "comment");
    return { ...file, tokens, imports: importsOf(file.path, tokens) };
  } catch (cause) {
    throw new Error(`${file.path} cannot be read by the architecture test`, { cause });
  }
}

/** A pattern is a path or target; one that ends in `/` or `*` stands for all that begin with it. */
export function matches(name: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => {
    if (pattern.endsWith("*")) return name.startsWith(pattern.slice(0, -1));
    return pattern.endsWith("/") ? name.startsWith(pattern) : name === pattern;
  });
}
