/**
 * A command-line program, from arguments to an exit code. It reads and prints only through its host.
 */
import { Command, CommanderError } from "commander";

import { systemClock } from "../clock.ts";
import { VERSION } from "../version.ts";
import { type CliHost, type Commands, createOutput, EXIT, EXIT_HELP } from "./output.ts";

export interface Program {
  readonly name: string;
  readonly description: string;
  readonly addCommands: (program: Command, commands: Commands) => void;
}

/** Runs one command. Resolves to the exit code and does not throw. */
export async function runProgram(program: Program, argv: readonly string[], host: CliHost): Promise<number> {
  const own = argv.includes("--") ? argv.slice(0, argv.indexOf("--")) : argv;
  const output = createOutput(host, own.includes("--json"));
  try {
    await build(program, { host, output }).parseAsync(argv, { from: "user" });
    return EXIT.ok;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (error instanceof Error && error.name === "AbortError") return EXIT.interrupted;
    return output.failure(error);
  }
}

/** The process that we are. */
export function processHost(): CliHost {
  const interruption = new AbortController();
  // Whoever reads our output may leave before its end, as `head` does.
  process.stdout.on("error", () => process.exit());
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    clock: systemClock(),
    interrupted: () => {
      for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => interruption.abort());
      return interruption.signal;
    },
  };
}

function build({ name, description, addCommands }: Program, commands: Commands): Command {
  const { host, output } = commands;
  const program = new Command(name)
    .description(description)
    .version(VERSION)
    .exitOverride()
    .showHelpAfterError(output.json ? false : "(add --help to see how it is used)")
    .addHelpText("afterAll", EXIT_HELP)
    .configureOutput({
      writeOut: (text) => void host.stdout.write(text),
      writeErr: (text) => void host.stderr.write(text),
      outputError: (text, write) => write(output.json ? usageError(text) : text),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
  addCommands(program, commands);
  return program;
}

function usageError(text: string): string {
  const message = text.trim().replace(/^error: /, "");
  const [impact, remedy] = ["Nothing was done.", "Add --help to see how the command is used."];
  return `${JSON.stringify({ error: { code: "usage", message, impact, remedy } })}\n`;
}
