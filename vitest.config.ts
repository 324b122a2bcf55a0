/**
 * How the tests run: projects by what a test may touch (test/README.md), one closing line for them all.
 * The end-to-end tests share one Docker Engine, so they run after the others; one file at a time those in e2e/alone, which
 * measure or run whole daemons.
 */
import { defineConfig } from "vitest/config";

import { ClosingLine } from "./test/support/closing-line.ts";

export default defineConfig({
  test: {
    reporters: ["default", new ClosingLine()],
    allowOnly: false,
    projects: [
      parallel("unit", ["test/unit/**/*.test.ts", "test/architecture.test.ts"], 10_000),
      parallel("contract", ["test/contract/**/*.test.ts"], 20_000),
      parallel("integration", ["test/integration/**/*.test.ts"], 30_000),
      parallel("e2e", ["test/e2e/*.test.ts"], 120_000, 2),
      alone("e2e-alone", ["test/e2e/alone/*.test.ts"], 3),
      parallel("chaos", ["test/chaos/*.test.ts"], 120_000, 4),
    ],
  },
});

function parallel(name: string, include: string[], timeoutMs: number, groupOrder = 1) {
  return {
    test: {
      name,
      include,
      testTimeout: timeoutMs,
      hookTimeout: timeoutMs,
      maxWorkers: "100%",
      sequence: { groupOrder },
    },
  };
}

function alone(name: string, include: string[], groupOrder: number) {
  return {
    test: {
      name,
      include,
      testTimeout: 120_000,
      hookTimeout: 120_000,
      fileParallelism: false,
      sequence: { groupOrder },
    },
  };
}
