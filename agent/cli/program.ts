/**
 * The whole of `lium-agent`, from arguments to an exit code. It reads and prints only through its host.
 */
import { Command, CommanderError } from "commander";

import { VERSION } from "../../common/version.ts";
import { addDaemonCommands } from "./daemon-commands.ts";
import { addOperatorCommands } from "./operator-commands.ts";
import { type CliHost, type Commands, createOutput, EXIT, EXIT_HELP } from "./output.ts";
import { addValidatorCommands } from "./validator-commands.ts";

/** Runs one command. Resolves to the exit code and does not throw. */
export async function runCli(argv: readonly string[], host: CliHost): Promise<number> {
  const own = argv.includes("--") ? argv.slice(0, argv.indexOf("--")) : argv;
  const output = createOutput(host, own.includes("--json"));
  try {
    await createProgram({ host, output }).parseAsync(argv, { from: "user" });
    return EXIT.ok;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (error instanceof Error && error.name === "AbortError") return EXIT.interrupted;
    return output.failure(error);
  }
}

function createProgram(commands: Commands): Command {
  const { host, output } = commands;
  const program = new Command("lium-agent")
    .description("Manages the GPU hosts of a provider on Lium and serves validators.")
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
  addDaemonCommands(program, commands);
  addOperatorCommands(program, commands);
  addValidatorCommands(program, commands);
  return program;
}

function usageError(text: string): string {
  const message = text.trim().replace(/^error: /, "");
  const [impact, remedy] = ["Nothing was done.", "Add --help to see how the command is used."];
  return `${JSON.stringify({ error: { code: "usage", message, impact, remedy } })}\n`;
}
