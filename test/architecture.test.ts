/**
 * Holds the tree to its rules (test/support/architecture/rules.ts) and prints the reason of each one that is broken.
 */
import { fileURLToPath } from "node:url";

import { describe, expect, it } from "vitest";

import { projectOf } from "./support/architecture/project.ts";
import { readProject } from "./support/architecture/read-project.ts";
import { RULES } from "./support/architecture/rules.ts";

const project = projectOf(readProject(fileURLToPath(new URL("..", import.meta.url))));

describe("the architecture", () => {
  it("is looked at whole: every source folder is there, and its imports are seen", () => {
    const imports = project.sources.flatMap(({ imports: all }) => all.map(({ target }) => target));

    expect(project.sources.length).toBeGreaterThan(50);
    expect(imports).toEqual(expect.arrayContaining(["protocol/errors.ts", "common/clock.ts", "npm:zod", "node:fs"]));
  });

  it.each(RULES)("$claim", ({ why, find }) => {
    const findings = find(project);

    expect(findings, `\n${findings.join("\n")}\n\nWhy: ${why}.\n`).toEqual([]);
  });
});
