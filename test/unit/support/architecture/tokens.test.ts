/** The scanner tells code from comments, strings, templates and regular expressions, or says that it is lost. */
import { describe, expect, it } from "vitest";

import { projectOf } from "../../../support/architecture/project.ts";
import { readProject } from "../../../support/architecture/read-project.ts";
import { tokenize } from "../../../support/architecture/tokens.ts";

function split(source: string): string[] {
  return tokenize(source).map(({ kind, text }) => `${kind} ${text}`);
}

describe("the scanner", () => {
  it.each([
    ["comments", "a // b\n/* c\n*/ d", ["name a", "comment // b", "comment /* c\n*/", "name d"]],
    ["strings with quotes in them", `"a\\"b" 'c"d'`, [`string "a\\"b"`, `string 'c"d'`]],
    ["a comment in a string", `"// no"`, [`string "// no"`]],
    ["a string in a comment", `/* "no */ a`, [`comment /* "no */`, "name a"]],
    [
      "a template with nested templates",
      "`a${ `b${c}` }d`",
      ["template `a${", "template `b${", "name c", "template }`", "template }d`"],
    ],
    [
      "braces in a template's expression",
      "`${ {a: {}} }`",
      ["template `${", "mark {", "name a", "mark :", "mark {", "mark }", "mark }", "template }`"],
    ],
    ["a dollar and an escaped mark in a template", "`$5 \\${x} \\``", ["template `$5 \\${x} \\``"]],
    [
      "a regular expression with quotes and slashes",
      `x = /["/]\\/'/gu;`,
      ["name x", "mark =", `regex /["/]\\/'/gu`, "mark ;"],
    ],
    ["a regular expression after return", "return /'/", ["name return", "regex /'/"]],
    ["a division", "(a / b) / c", ["mark (", "name a", "mark /", "name b", "mark )", "mark /", "name c"]],
    ["names with umlauts, dollars and private marks", "ä $a #b _c", ["name ä", "name $a", "name #b", "name _c"]],
    ["numbers", "1_000n 0xff 1.5", ["number 1_000n", "number 0xff", "number 1.5"]],
    ["a first line for the shell", "#!/usr/bin/env node\na", ["name a"]],
  ])("knows %s", (_what, source, tokens) => {
    expect(split(source)).toEqual(tokens);
  });

  it("counts lines, over comments and templates too", () => {
    const lines = tokenize("a\n/*\n*/\n`\n\n` b\nc").map(({ text, line }) => [text, line]);

    expect(lines).toEqual([
      ["a", 1],
      ["/*\n*/", 2],
      ["`\n\n`", 4],
      ["b", 6],
      ["c", 7],
    ]);
  });

  it.each(["`never closed", '"never closed', "{ a", "a }", "`${ a `"])("says that it is lost in %s", (source) => {
    expect(() => tokenize(source)).toThrow(/line 1: not understood/);
  });

  it("names the file that it cannot read", () => {
    expect(() => projectOf([{ path: "agent/a.ts", source: "{" }])).toThrow("agent/a.ts cannot be read");
  });

  it("loses no character of any file of the project", () => {
    const sources = readProject(".").filter(({ path }) => path.endsWith(".ts"));
    const bare = (text: string): string => text.replace(/^#!.*/, "").replaceAll(/\s/g, "");
    const changed = sources.filter(
      ({ source }) =>
        bare(
          tokenize(source)
            .map(({ text }) => text)
            .join(""),
        ) !== bare(source),
    );

    expect(sources.length).toBeGreaterThan(50);
    expect(changed.map(({ path }) => path)).toEqual([]);
  });
});
