/**
 * What install.sh runs once Node and the dependencies are there.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";

import type { Command } from "commander";

import type { Commands } from "../common/cli/output.ts";
import { processHost, runProgram } from "../common/cli/program.ts";
import { AppError } from "../protocol/errors.ts";
import { BUILT_IMAGE } from "./pod-image.ts";

const ROOT = join(import.meta.dirname, "..");

interface DemoFlags {
  readonly image: string;
  readonly gpus: string;
  readonly stateDir: string;
  readonly once?: boolean;
}

function addCommands(program: Command, { host, output }: Commands): void {
  const say = (text: string): void => void host.stderr.write(`${text}\n`);
  program
    .command("demo")
    .description("Rent a pod on this machine and log in: agent, executor, Docker and SSH for real, the GPU simulated")
    .option("--image <reference>", "the pod's image; a small Debian is built when it cannot be pulled", BUILT_IMAGE)
    .option("--gpus <list>", "simulated GPUs of the host", "2xH100")
    .option("--state-dir <folder>", "where the demo keeps its state", join(ROOT, ".state/demo"))
    .option("--once", "end by itself after the first login")
    .option("--json", "print the result as JSON")
    .action(async (flags: DemoFlags) => {
      const { runDemo } = await import("./demo.ts");
      const result = await runDemo({ ...flags, once: flags.once === true, say, signal: host.interrupted() });
      output.result(result, () => "The demo is over.");
      if (!result.cleanedUp)
        throw new AppError("internal", { message: "Something of the pod is left: see docker ps -a." });
    });
  program
    .command("test")
    .description("Install what the whole suite needs, check the sources, run the suite")
    .argument("[args...]", "for vitest")
    .allowUnknownOption()
    .action(async (args: string[]) => {
      const { prepareTests } = await import("./suite.ts");
      const engine = await prepareTests({ stateDir: join(ROOT, ".state/test"), say });
      try {
        await npm(["run", "--silent", "check"]);
        await npm(["run", "--silent", "test", "--", ...args]);
      } finally {
        await engine.stop();
      }
    });
}

function npm(args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn("npm", args, { cwd: ROOT, stdio: "inherit" });
    const failed = (): void => reject(new AppError("command-failed", { message: `npm ${args.join(" ")} failed.` }));
    child.once("error", failed);
    child.once("exit", (code) => (code === 0 ? resolve() : failed()));
  });
}

const description = "Sets up and tries out Lium Provider on this machine.";
process.exitCode = await runProgram(
  { name: "install.sh", description, addCommands },
  process.argv.slice(2),
  processHost(),
);
