/**
 * How the tests run: four projects by what a test may touch (test/README.md), one closing line for them all.
 * The end-to-end tests share one Docker Engine, so they run after the others and one file at a time.
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
      {
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: "chaos",
          include: ["test/chaos/**/*.test.ts"],
          fileParallelism: false,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});

function parallel(name: string, include: string[], timeoutMs: number) {
  return {
    test: {
      name,
      include,
      testTimeout: timeoutMs,
      hookTimeout: timeoutMs,
      maxWorkers: "100%",
      sequence: { groupOrder: 1 },
    },
  };
}
