/**
 * `npm run bench -- NAME [--json]`: each benchmark brings up what it measures, prints one JSON document, and cleans up.
 */
import { stripVTControlCharacters } from "node:util";

import { measureIdle } from "./idle.ts";
import { measurePodStart } from "./pod-start.ts";

const BENCHMARKS: Readonly<Record<string, () => Promise<unknown>>> = {
  "pod-start": measurePodStart,
  idle: measureIdle,
};

const [name = ""] = process.argv.slice(2).filter((arg) => !arg.startsWith("--"));
const benchmark = BENCHMARKS[name];
if (benchmark === undefined) {
  process.stderr.write(`Usage: npm run bench -- ${Object.keys(BENCHMARKS).join("|")} [--json]\n`);
  process.exitCode = 2;
} else {
  const result = await benchmark();
  const json = process.argv.includes("--json");
  process.stdout.write(stripVTControlCharacters(`${JSON.stringify(result, undefined, json ? undefined : 2)}\n`));
}
