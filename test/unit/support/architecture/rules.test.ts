/**
 * Each rule of the project is broken here on purpose, in a tree that exists nowhere: a rule that cannot fail guards nothing.
 */
import { describe, expect, it } from "vitest";

import { everyCodeIsUsed } from "../../../support/architecture/checks.ts";
import { projectOf } from "../../../support/architecture/project.ts";
import { OWNERS, RULES } from "../../../support/architecture/rules.ts";

type Tree = Record<string, string>;

/** What the project's rules find in a tree, by claim; the rule on error codes looks at the whole program and is left out. */
function findingsIn(tree: Tree): Record<string, string[]> {
  const project = projectOf(Object.entries(tree).map(([path, source]) => ({ path, source })));
  const found = RULES.filter(({ claim }) => claim !== "every error code is used").map(
    ({ claim, find }) => [claim, find(project)] as const,
  );
  return Object.fromEntries(found.filter(([, findings]) => findings.length > 0));
}

/** A file in good form with this code. */
function file(code: string): string {
  return `/** What it is for. */\n${code}\n`;
}

const OFFENCES: readonly (readonly [claim: string, tree: Tree, finding: string])[] = [
  [
    "protocol/ imports zod, Node and itself",
    { "protocol/a.ts": file(`import "../common/b.ts";`) },
    "protocol/a.ts:2 imports common/b.ts",
  ],
  [
    "protocol/ imports zod, Node and itself",
    { "protocol/a.ts": file(`import type { A } from "uuid";`) },
    "protocol/a.ts:2 imports npm:uuid",
  ],
  [
    "common/ imports protocol/ and packages",
    { "common/a.ts": file(`import "../agent/b.ts";`) },
    "common/a.ts:2 imports agent/b.ts",
  ],
  [
    "agent/ does not import the executor or the installer",
    { "agent/a.ts": file(`import "../executor/b.ts";`) },
    "agent/a.ts:2 imports executor/b.ts",
  ],
  [
    "executor/ does not import the agent or the installer",
    { "executor/a.ts": file(`import type { A } from "../agent/b.ts";`) },
    "executor/a.ts:2 imports agent/b.ts",
  ],
  [
    "installer/ imports nothing of the daemons but their configuration",
    { "installer/a.ts": file(`import "../agent/main.ts";`) },
    "installer/a.ts:2 imports agent/main.ts",
  ],
  [
    "nothing imports test/",
    { "common/a.ts": file(`import "../test/support/b.ts";`) },
    "common/a.ts:2 imports test/support/b.ts",
  ],
  [
    "what decides does no input or output",
    { "executor/pods/plan.ts": file(`import "node:fs";`) },
    "executor/pods/plan.ts -> node:fs",
  ],
  [
    "what decides does no input or output",
    { "agent/fleet/a.ts": file(`import "../../common/b.ts";`), "common/b.ts": file(`import "node:child_process";`) },
    "agent/fleet/a.ts -> common/b.ts -> node:child_process",
  ],
  [
    "no file imports itself through others",
    {
      "common/a.ts": file(`import "./b.ts";`),
      "common/b.ts": file(`import type { C } from "./c.ts";`),
      "common/c.ts": file(`export * from "./a.ts";`),
    },
    "common/a.ts -> common/b.ts -> common/c.ts -> common/a.ts",
  ],
  [
    "every package that is imported has an owner",
    { "agent/a.ts": file(`import "left-pad";`) },
    "agent/a.ts:2 imports npm:left-pad",
  ],
  [
    "every package that is imported has an owner",
    { "agent/a.ts": file("await import(name);") },
    "agent/a.ts:2 imports computed",
  ],
  [
    "process.env is read by the outermost files alone",
    { "agent/a.ts": file("f(process.env);") },
    "agent/a.ts:2 says process . env",
  ],
  [
    "process.env is read by the outermost files alone",
    { "agent/a.ts": file(`f(process["env"]);`) },
    `agent/a.ts:2 says process [ "env`,
  ],
  [
    "node:process is not imported",
    { "agent/a.ts": file(`import { env } from "process";`) },
    "agent/a.ts:2 imports node:process",
  ],
  [
    "signals are handled by the lifecycle",
    { "agent/a.ts": file(`process.once("SIGINT", f);`) },
    `agent/a.ts:2 says process . once ( "SIG`,
  ],
  [
    "every file begins with a doc comment of one to five lines",
    { "agent/a.ts": "// What it is for.\n" },
    "agent/a.ts has none",
  ],
  [
    "every file begins with a doc comment of one to five lines",
    { "agent/a.ts": 'import "./b.ts";\n/** Late. */\n' },
    "agent/a.ts has none",
  ],
  [
    "every file begins with a doc comment of one to five lines",
    { "agent/a.ts": "/** */\n" },
    "agent/a.ts has one of 0 lines",
  ],
  [
    "every file begins with a doc comment of one to five lines",
    { "test/a.ts": "/**\n * 1\n * 2\n * 3\n * 4\n * 5\n * 6\n */\n" },
    "test/a.ts has one of 6 lines",
  ],
  ["nothing is exported as default", { "agent/a.ts": file("export default f;") }, "agent/a.ts:2 says export default"],
  [
    "nothing is exported as default",
    { "agent/a.ts": file("export { f as default };") },
    "agent/a.ts:2 says as default",
  ],
  ["no test is run alone", { "test/a.test.ts": file(`it.only("a", f);`) }, "test/a.test.ts:2 says it . only"],
  [
    "no test is run alone",
    { "test/a.test.ts": file("describe.concurrent.only.each([])") },
    "test/a.test.ts:2 says describe . concurrent . only",
  ],
  [
    "no file names a path of the machine it was written on",
    { "README.md": "see /root/here\n" },
    "README.md:1 see /root/here",
  ],
  ["no file names a path of the machine it was written on", { "install.sh": "x=/root/x\n" }, "install.sh:1 x=/root/x"],
  ["no file names a package registry's host", { "a.md": "\nregistry.yarnpkg.com\n" }, "a.md:2 registry.yarnpkg.com"],
  [
    "the lockfile names no address",
    { "package-lock.json": `"resolved": "https://host/a.tgz"` },
    `package-lock.json:1 "resolved": "https://host/a.tgz"`,
  ],
];

const IN_ORDER: Tree = {
  "README.md": "Pods may see /root/.ssh/authorized_keys, networks work/, and /workspace.\n",
  "package-lock.json": "{}\n",
  "protocol/ids.ts": file(`import { createHash } from "node:crypto";\nimport { z } from "zod";`),
  "common/logger.ts": file(`import { pino } from "pino";\nimport "../protocol/ids.ts";`),
  "common/version.ts": file(`import packageJson from "../package.json" with { type: "json" };`),
  "common/config-file.ts": file(`import { parse } from "smol-toml";\nread(process.env);`),
  "common/lifecycle.ts": file(`process.on("SIGTERM", stop); process.on("exit", end);`),
  "agent/cli/main.ts": `#!/usr/bin/env node\n${file(`import { Command } from "commander";`)}`,
  "common/cli/program.ts": file(`import { Command } from "commander";\nrun(process.env);`),
  "agent/fleet/plan.ts": file(`import type { Store } from "../store/open.ts";\nimport "../../protocol/ids.ts";`),
  "agent/fleet/reconcile.ts": file(`import "node:fs";`),
  "agent/store/open.ts": file(`import { DatabaseSync } from "node:sqlite";\nimport { Kysely } from "kysely";`),
  "executor/pods/state.ts": "/**\n * What it is for.\n *\n * a\n * diagram\n * of\n * many\n * more\n * lines\n */\n",
  "installer/main.ts": file(`import "../agent/config.ts";\nimport "../common/logger.ts";`),
  "test/unit/a.test.ts": file(
    `import Docker from "dockerode";\nimport "../../executor/main.ts";\nit("only", () => process.env);`,
  ),
  "vitest.config.ts": `import { ClosingLine } from "./test/support/closing-line.ts";\nexport default ClosingLine;\n`,
};

describe("the rules", () => {
  it.each(OFFENCES)("%s: %o", (claim, tree, finding) => {
    expect(findingsIn(tree)[claim]).toEqual([finding]);
  });

  it("find nothing in a tree that is in order", () => {
    expect(findingsIn(IN_ORDER)).toEqual({});
  });

  it("each have a reason, and a claim of their own", () => {
    expect(new Set(RULES.map(({ claim }) => claim)).size).toBe(RULES.length);
    expect(RULES.filter(({ why }) => why.length < 20)).toEqual([]);
  });

  it("are each broken by a test, those on owners by the next one", () => {
    const tried = new Set(OFFENCES.map(([claim]) => claim));
    const untried = RULES.filter(({ claim }) => !tried.has(claim) && !claim.includes(": imported only by "));

    expect(untried.map(({ claim }) => claim)).toEqual(["every error code is used"]);
  });

  it.each(OWNERS.flatMap(({ target }) => target))("%s is refused to strangers", (target) => {
    const specifier = target.replace("npm:", "").replace("*", "anything");
    const code = file(`import type { A } from "${specifier}";`);

    const findings = Object.values(findingsIn({ "agent/validator/a.ts": code, "installer/a.ts": code })).flat();

    // A package may have an owner of its own beside its family's.
    expect([...new Set(findings)]).toEqual([
      expect.stringMatching(/^agent\/validator\/a\.ts:2 imports /),
      expect.stringMatching(/^installer\/a\.ts:2 imports /),
    ]);
  });
});

describe("the rule on error codes", () => {
  function findings(tree: Tree, notYetUsed: string[] = []): string[] {
    const rule = {
      claim: "codes",
      why: "because",
      codes: ["gpu-taken", "host-full"],
      listedIn: "protocol/errors.ts",
      notYetUsed,
    };
    return everyCodeIsUsed(rule).find(projectOf(Object.entries(tree).map(([path, source]) => ({ path, source }))));
  }

  it("finds the codes that only their table, a comment or a test names", () => {
    const tree = {
      "protocol/errors.ts": `const a = ["gpu-taken", "host-full"];`,
      "agent/a.ts": `// "gpu-taken"\nf("host-full");`,
      "test/a.test.ts": `f("gpu-taken");`,
    };

    expect(findings(tree)).toEqual(["gpu-taken is used nowhere"]);
  });

  it("lets a code wait for its user, but not longer than it has to, and only a code", () => {
    const tree = { "agent/a.ts": `f("host-full");` };

    expect(findings(tree, ["gpu-taken"])).toEqual([]);
    expect(findings(tree, ["gpu-taken", "host-full", "no-code"])).toEqual([
      "host-full is used now: strike it from NOT_YET_USED",
      "no-code is in NOT_YET_USED and is no code",
    ]);
  });
});
