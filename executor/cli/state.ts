/**
 * `lium-executor state`: the way back for the version before this one. It works on the files; no executor may run.
 */
import { join } from "node:path";

import { type Command, InvalidArgumentError, Option } from "commander";

import type { Output } from "../../common/cli/output.ts";
import { AppError } from "../../protocol/errors.ts";
import { loadExecutorConfig } from "../config.ts";

export interface StateCommands {
  readonly output: Output;
  /** Adds a command with the options that all commands have. */
  readonly add: (parent: Command, name: string, description: string) => Command;
}

interface Options {
  readonly config: string;
  readonly to: number;
}

export function addStateCommands(program: Command, { output, add }: StateCommands): void {
  const state = program.command("state").description("The files that hold what this host promised");
  add(state, "downgrade", "Make them readable for the version before this one; the executor must be stopped")
    .addOption(new Option("--to <version>", "the version of the state").argParser(versionOf).makeOptionMandatory())
    .action(async ({ config, to }: Options) => {
      const { LEDGER_VERSION, stepLedgerBack } = await import("../pods/ledger.ts");
      const { stateDir } = await loadExecutorConfig(config);
      if (to !== LEDGER_VERSION - 1) {
        const message = `This program writes version ${LEDGER_VERSION}, and can go back to ${LEDGER_VERSION - 1} alone.`;
        throw new AppError("invalid-request", { message });
      }
      stepLedgerBack(join(stateDir, "ledger.db"));
      output.result({ version: to }, () => `The state is of version ${to} now; a copy of what it was lies beside it.`);
    });
}

function versionOf(text: string): number {
  if (!/^\d{1,4}$/.test(text)) throw new InvalidArgumentError("A version is a number.");
  return Number(text);
}
