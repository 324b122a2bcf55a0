/** Every way to import is seen, and nothing that only looks like one. */
import { describe, expect, it } from "vitest";

import { importsOf } from "../../../support/architecture/imports.ts";
import { projectOf } from "../../../support/architecture/project.ts";
import { tokenize } from "../../../support/architecture/tokens.ts";

function targets(source: string, path = "agent/cli/main.ts"): string[] {
  return importsOf(path, tokenize(source)).map(({ target, typeOnly }) => (typeOnly ? `type ${target}` : target));
}

describe("imports", () => {
  it.each([
    [`import "./a.ts";`, ["agent/cli/a.ts"]],
    [`import a from '../a.ts';`, ["agent/a.ts"]],
    [`import a, { b as c, type D } from "../../common/a.ts";`, ["common/a.ts"]],
    [`import {\n  a,\n} from "../../common/a.ts";`, ["common/a.ts"]],
    [`import * as a from "zod/v4";`, ["npm:zod"]],
    [`import { "a b" as c } from "zod";`, ["npm:zod"]],
    [`import type { A } from "@fastify/rate-limit/x.js";`, ["type npm:@fastify/rate-limit"]],
    [`import type from "zod";`, ["npm:zod"]],
    [`import data from "../../package.json" with { type: "json" };`, ["package.json"]],
    [`import fs from "fs/promises";`, ["node:fs/promises"]],
    [`import fs from "node:fs";`, ["node:fs"]],
    [`export { a } from "zod";`, ["npm:zod"]],
    [`export * from "zod";`, ["npm:zod"]],
    [`export * as a from "zod";`, ["npm:zod"]],
    [`export type { A } from "zod";`, ["type npm:zod"]],
    [`export type * from "zod";`, ["type npm:zod"]],
    [`const a = await import("zod");`, ["npm:zod"]],
    [`type A = typeof import("zod");`, ["npm:zod"]],
    [`const a = require("zod");`, ["npm:zod"]],
    ["const a = await import(`zod`);", ["computed"]],
    [`const a = await import("./" + name);`, ["computed"]],
    [`import a from "a"; import b from "b";`, ["npm:a", "npm:b"]],
    [`const a = 1\nimport b from "b"`, ["npm:b"]],
  ])("%s", (source, expected) => {
    expect(targets(source)).toEqual(expected);
  });

  it.each([
    `// import a from "a";`,
    `const a = 'import b from "b"';`,
    'const a = `import b from "b"`;',
    `const path = import.meta.dirname;`,
    `export { a }; const b = { from: "c" };`,
    `export const a = "from";`,
    `export type A = { from: "b" };`,
    `export type A = "from" | "b";`,
    `const a = { import: "b", export: { c: "d" } };`,
    `loader.import("a"); module.require("b");`,
    `Array.from("abc");`,
  ])("%s imports nothing", (source) => {
    expect(targets(source)).toEqual([]);
  });

  it("are seen in a file's templates too", () => {
    expect(targets("const a = `${await import('zod')}`;")).toEqual(["npm:zod"]);
  });

  it("know their line", () => {
    const [file] = projectOf([{ path: "a.ts", source: '/** A.\n */\n\nimport "./b.ts";\n' }]).sources;

    expect(file?.imports).toEqual([{ target: "b.ts", line: 4, typeOnly: false }]);
  });
});
