/**
 * The commands of `lium-agent`.
 */
import type { CliHost } from "../../common/cli/output.ts";
import { runProgram } from "../../common/cli/program.ts";
import { addChainCommands } from "./chain-commands.ts";
import { addCheckCommand } from "./check-command.ts";
import { addDaemonCommands } from "./daemon-commands.ts";
import { addOperatorCommands } from "./operator-commands.ts";
import { addStateCommands } from "./state-commands.ts";
import { addValidatorCommands } from "./validator-commands.ts";

/** Runs one command. Resolves to the exit code and does not throw. */
export function runCli(argv: readonly string[], host: CliHost): Promise<number> {
  return runProgram(
    {
      name: "lium-agent",
      description: "Manages the GPU hosts of a provider on Lium and serves validators.",
      addCommands: (program, commands) => {
        addDaemonCommands(program, commands);
        addOperatorCommands(program, commands);
        addCheckCommand(program, commands);
        addChainCommands(program, commands);
        addValidatorCommands(program, commands);
        addStateCommands(program, commands);
      },
    },
    argv,
    host,
  );
}
