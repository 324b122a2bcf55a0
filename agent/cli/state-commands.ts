/**
 * `lium-agent state`: the way back for the version before this one. It works on the file; no agent may run.
 */
import { join } from "node:path";

import type { Command } from "commander";

import type { Commands } from "../../common/cli/output.ts";

interface Options {
  readonly config: string;
}

const DEFAULT_CONFIG = "/etc/lium/agent.toml";

export function addStateCommands(program: Command, { host, output }: Commands): void {
  const state = program.command("state").description("The database that holds what this agent promised");
  state
    .command("downgrade")
    .description("Make it readable for the version before this one; the agent must be stopped")
    .option("--config <file>", "agent.toml; LIUM_AGENT_CONFIG", host.env["LIUM_AGENT_CONFIG"] ?? DEFAULT_CONFIG)
    .option("--json", "print JSON")
    .action(async ({ config }: Options) => {
      const { loadAgentConfig } = await import("../config.ts");
      const { stepStoreBack } = await import("../store/sqlite.ts");
      const { stateDir } = await loadAgentConfig(config);
      const path = join(stateDir, "agent.db");
      await stepStoreBack(path);
      output.result({ path }, () => "The database is one version back; a copy of what it was lies beside it.");
    });
}
