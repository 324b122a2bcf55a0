/**
 * A vitest reporter whose one line closes the output: `N passed, N failed`, with `, N skipped` where some were.
 * A file that cannot be loaded, a hook that throws and an error outside any test each count as one failure,
 * and a run that did not pass never says `0 failed`.
 */
import type { Reporter, SerializedError, TestModule, TestRunEndReason, TestSuite } from "vitest/node";

export class ClosingLine implements Reporter {
  #line = "0 passed, 1 failed";

  /** Waits for the exit, so that nothing is printed after the line. */
  onInit(): void {
    process.once("exit", () => process.stdout.write(`\n${this.#line}\n`));
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[], reason: TestRunEndReason): void {
    this.#line = closingLine(modules, unhandled.length, reason);
  }
}

export function closingLine(modules: readonly TestModule[], unhandled: number, reason: TestRunEndReason): string {
  const tests = modules.flatMap((module) => [...module.children.allTests()]);
  const count = (state: string): number => tests.filter((test) => test.result().state === state).length;
  const broken = modules.flatMap((module) => [module, ...module.children.allSuites()]).filter(hasOwnErrors).length;

  const failed = count("failed") + broken + unhandled;
  const skipped = count("skipped") + count("pending");
  const shown = reason === "passed" ? failed : Math.max(1, failed);
  return `${count("passed")} passed, ${shown} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

function hasOwnErrors(entity: TestModule | TestSuite): boolean {
  return entity.errors().length > 0;
}
