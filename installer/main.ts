/**
 * What install.sh runs once Node and the dependencies are there.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";

import { Command } from "commander";

import { printFailure, printResult } from "../common/cli-output.ts";
import { BUILT_IMAGE } from "./pod-image.ts";

const ROOT = join(import.meta.dirname, "..");
const say = (text: string): void => void process.stderr.write(`${text}\n`);

const program = new Command("install.sh")
  .description("Sets up and tries out Lium Provider on this machine.")
  .showHelpAfterError();

program
  .command("demo")
  .description(
    "Rent a pod on this machine and log in to it: agent, executor, Docker and SSH for real, the GPU simulated",
  )
  .option("--image <reference>", "the pod's image; a small Debian is built when it cannot be pulled", BUILT_IMAGE)
  .option("--gpus <list>", "simulated GPUs of the host", "2xH100")
  .option("--state-dir <folder>", "where the demo keeps its state", join(ROOT, ".state/demo"))
  .option("--once", "end by itself after the first login")
  .option("--json", "print the result as JSON")
  .action(async (options: { image: string; gpus: string; stateDir: string; once?: boolean; json?: boolean }) => {
    const { runDemo } = await import("./demo.ts");
    const interrupted = new AbortController();
    for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, () => interrupted.abort());
    const result = await runDemo({ ...options, once: options.once ?? false, say, signal: interrupted.signal });
    printResult(result, options, "The demo is over.");
    if (!result.cleanedUp) process.exitCode = 1;
  });

program
  .command("test")
  .description("Install what the whole suite needs, then run it")
  .argument("[args...]", "for vitest")
  .allowUnknownOption()
  .action(async (args: string[]) => {
    const { prepareTests } = await import("./suite.ts");
    const engine = await prepareTests({ stateDir: join(ROOT, ".state/test"), say });
    try {
      process.exitCode =
        (await run(["npm", "run", "--silent", "check"])) ||
        (await run(["npm", "run", "--silent", "test", "--", ...args]));
    } finally {
      await engine.stop();
    }
  });

function run([file = "", ...args]: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { cwd: ROOT, stdio: "inherit" });
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? 1));
  });
}

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = printFailure(error, { json: process.argv.includes("--json") });
}
