#!/usr/bin/env node
/**
 * The program `lium-agent`.
 */
import { systemClock } from "../../common/clock.ts";
import type { CliHost } from "./output.ts";
import { runCli } from "./program.ts";

function processHost(): CliHost {
  const interruption = new AbortController();
  // Whoever reads our output may leave before its end, as `head` does.
  process.stdout.on("error", () => process.exit());
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    clock: systemClock(),
    interrupted: () => {
      process.once("SIGINT", () => interruption.abort());
      return interruption.signal;
    },
  };
}

process.exitCode = await runCli(process.argv.slice(2), processHost());
