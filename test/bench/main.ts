/**
 * `npm run bench -- NAME [--json]`: each benchmark brings up what it measures, prints one JSON document, and cleans up.
 */
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";

import { prepareTests } from "../../installer/suite.ts";
import { measureChallenge } from "./challenge.ts";
import { measureIdle } from "./idle.ts";
import { measurePodStart } from "./pod-start.ts";
import { measureRecovery } from "./recovery.ts";
import { measureTelemetry } from "./telemetry.ts";
import { measureValidatorLoad } from "./validator-load.ts";

const BENCHMARKS: Readonly<Record<string, () => Promise<unknown>>> = {
  "pod-start": measurePodStart,
  idle: measureIdle,
  challenge: measureChallenge,
  recovery: measureRecovery,
  telemetry: measureTelemetry,
  "validator-load": measureValidatorLoad,
};

const [name = ""] = process.argv.slice(2).filter((arg) => !arg.startsWith("--"));
const benchmark = BENCHMARKS[name];
if (benchmark === undefined) {
  process.stderr.write(`Usage: npm run bench -- ${Object.keys(BENCHMARKS).join("|")} [--json]\n`);
  process.exitCode = 2;
} else {
  const result = await measured(benchmark);
  const json = process.argv.includes("--json");
  process.stdout.write(stripVTControlCharacters(`${JSON.stringify(result, undefined, json ? undefined : 2)}\n`));
}

/** With an engine that is started, and ended, where none answers. */
async function measured(run: () => Promise<unknown>): Promise<unknown> {
  const stateDir = join(import.meta.dirname, "../../.state/bench");
  const engine = await prepareTests({ stateDir, say: (text) => void process.stderr.write(`${text}\n`) });
  try {
    return await run();
  } finally {
    await engine.stop();
  }
}
