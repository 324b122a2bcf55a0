/**
 * The kinds of rule. Each function makes a rule from its data; a rule looks at a project and gives its findings,
 * and has a reason that is printed with them.
 */
import { matches, type Project, type SourceFile } from "./project.ts";

export interface Rule {
  readonly claim: string;
  readonly why: string;
  /** One line per offence; none when the claim is true. */
  readonly find: (project: Project) => string[];
}

interface Common {
  readonly claim: string;
  readonly why: string;
}

type Patterns = readonly string[];

/** Files of `files` import nothing but what matches `only`. */
export function importsOnly(rule: Common & { files: Patterns; only: Patterns }): Rule {
  return {
    ...rule,
    find: ({ sources }) =>
      sources
        .filter(({ path }) => matches(path, rule.files))
        .flatMap(({ path, imports }) =>
          imports
            .filter(({ target }) => !matches(target, rule.only))
            .map(({ target, line }) => `${path}:${line} imports ${target}`),
        ),
  };
}

/** What matches `target` is imported by files of `owners` and by tests, and by nobody else. */
export function importedOnlyBy(rule: Common & { target: Patterns; owners: Patterns }): Rule {
  return {
    ...rule,
    find: ({ sources }) =>
      sources
        .filter(({ path }) => !matches(path, [...rule.owners, "test/"]))
        .flatMap(({ path, imports }) =>
          imports
            .filter(({ target }) => matches(target, rule.target))
            .map(({ target, line }) => `${path}:${line} imports ${target}`),
        ),
  };
}

/** No chain of imports that exist at run time leads from `files` to a part of Node or a package outside `only`. */
export function reachesOnly(rule: Common & { files: Patterns; except: Patterns; only: Patterns }): Rule {
  return {
    ...rule,
    find: ({ sources }) => {
      const byPath = new Map(sources.map((file) => [file.path, file]));
      return sources
        .filter(({ path }) => matches(path, rule.files) && !matches(path, rule.except))
        .flatMap((file) => forbiddenChains(file, byPath, rule.only));
    },
  };
}

function forbiddenChains(start: SourceFile, byPath: ReadonlyMap<string, SourceFile>, only: Patterns): string[] {
  const seen = new Set([start.path]);
  const queue = [{ file: start, chain: start.path }];
  const found: string[] = [];
  for (const { file, chain } of queue) {
    for (const { target, typeOnly } of file.imports) {
      const next = byPath.get(target);
      if (typeOnly || seen.has(target)) continue;
      seen.add(target);
      if (next !== undefined) queue.push({ file: next, chain: `${chain} -> ${target}` });
      else if (!matches(target, only)) found.push(`${chain} -> ${target}`);
    }
  }
  return found;
}

/** No file imports itself through others, not even for types. */
export function noCycles(rule: Common): Rule {
  return {
    ...rule,
    find: ({ sources }) => {
      const byPath = new Map(sources.map((file) => [file.path, file]));
      const done = new Set<string>();
      const found: string[] = [];

      function visit(path: string, chain: readonly string[]): void {
        const start = chain.indexOf(path);
        if (start >= 0) found.push([...chain.slice(start), path].join(" -> "));
        const file = byPath.get(path);
        if (start >= 0 || file === undefined || done.has(path)) return;
        for (const { target } of file.imports) visit(target, [...chain, path]);
        done.add(path);
      }

      for (const { path } of sources) visit(path, []);
      return found;
    },
  };
}

/** Code whose tokens, joined by single spaces, match `words` stands only in `owners`. */
export function writtenOnlyIn(rule: Common & { words: RegExp; owners: Patterns }): Rule {
  return {
    ...rule,
    find: ({ sources }) =>
      sources.filter(({ path }) => !matches(path, rule.owners)).flatMap((file) => placesOf(rule.words, file)),
  };
}

/** Looks at the tokens from every token on; `words` has to begin with `^` and sees the next six. */
function placesOf(words: RegExp, { path, tokens }: SourceFile): string[] {
  return tokens.flatMap(({ line }, at) => {
    const ahead = tokens.slice(at, at + 6).map(({ text }) => text);
    const match = words.exec(ahead.join(" "));
    return match === null ? [] : [`${path}:${line} says ${match[0].trim()}`];
  });
}

/** No line of a text file of `files`, outside `except`, matches `pattern`. */
export function saidNowhere(rule: Common & { files: Patterns; except: Patterns; pattern: RegExp }): Rule {
  return {
    ...rule,
    find: ({ texts }) =>
      texts
        .filter(({ path }) => matches(path, rule.files) && !matches(path, rule.except))
        .flatMap(({ path, source }) =>
          source
            .split("\n")
            .flatMap((line, index) =>
              rule.pattern.test(line) ? [`${path}:${index + 1} ${line.trim().slice(0, 120)}`] : [],
            ),
        ),
  };
}

/**
 * Every file of `files` begins, after a `#!` line, with a doc comment whose first paragraph has one to five lines.
 * A diagram or a list may follow it.
 */
export function beginsWithDocComment(rule: Common & { files: Patterns }): Rule {
  return {
    ...rule,
    find: ({ sources }) =>
      sources.flatMap(({ path, source }) => {
        if (!matches(path, rule.files)) return [];
        const comment = /^(?:#!.*\n)?\/\*\*([\s\S]*?)\*\//.exec(source)?.[1];
        if (comment === undefined) return [`${path} has none`];
        const text = comment.replace(/^\s*\*?/, "").split(/\n\s*\*[ \t]*(?=\n)/)[0] ?? "";
        const lines = text.split("\n").filter((line) => /\w/.test(line)).length;
        return lines >= 1 && lines <= 5 ? [] : [`${path} has one of ${lines} lines`];
      }),
  };
}

export interface CodesInUse {
  readonly codes: Patterns;
  /** The file that lists them. */
  readonly listedIn: string;
  /** Codes whose user is still to be written. */
  readonly notYetUsed: Patterns;
}

/** Every code stands as a string in some file outside the tests; a code that waits for its user has none yet. */
export function everyCodeIsUsed(rule: Common & CodesInUse): Rule {
  return {
    ...rule,
    find: ({ sources }) => {
      const speaking = sources.filter(({ path }) => path !== rule.listedIn && !path.startsWith("test/"));
      const said = new Set(speaking.flatMap(({ tokens }) => tokens.map(({ text }) => text)));
      const isUsed = (code: string): boolean => said.has(`"${code}"`);
      return [
        ...rule.codes
          .filter((code) => !isUsed(code) && !rule.notYetUsed.includes(code))
          .map((code) => `${code} is used nowhere`),
        ...rule.notYetUsed.filter(isUsed).map((code) => `${code} is used now: strike it from NOT_YET_USED`),
        ...rule.notYetUsed
          .filter((code) => !rule.codes.includes(code))
          .map((code) => `${code} is in NOT_YET_USED and is no code`),
      ];
    },
  };
}
