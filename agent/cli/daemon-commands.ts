/**
 * `init` and `serve`: the agent itself. Its parts are loaded only here, so that the other commands start fast.
 */
import { type Command, Option } from "commander";

import type { CliHost, Commands } from "../../common/cli/output.ts";
import { fields } from "../../common/cli/table.ts";

const DEFAULT_CONFIG = "/etc/lium/agent.toml";
const DEFAULT_STATE = "/var/lib/lium-agent";

interface InitOptions {
  readonly config: string;
  readonly stateDir: string;
  readonly publicHost?: string;
  readonly network: "development" | "test" | "finney";
  readonly hotkeyFile?: string;
}

export function addDaemonCommands(program: Command, { host, output }: Commands): void {
  const networks = new Option("--network <name>", "the network it serves").choices(["development", "test", "finney"]);
  withConfig(program.command("init"), host)
    .description("Write a configuration, a certificate and, if none is given, a hotkey; nothing is overwritten")
    .option("--state-dir <folder>", "where the agent keeps its state", DEFAULT_STATE)
    .option("--public-host <name>", "the name or address at which others reach this agent")
    .option("--hotkey-file <path>", "an existing hotkey, as btcli writes it; a new one is made when left out")
    .addOption(networks.default("finney"))
    .option("--json", "print JSON")
    .action(async ({ config: configPath, ...options }: InitOptions) => {
      const { initAgent } = await import("../init.ts");
      const made = await initAgent({ configPath, ...options });
      output.result(made, (paint) =>
        fields(
          [
            ["configuration", made.configPath],
            ["hotkey", made.hotkey],
            ["certificate", made.certificateFingerprint],
            ["next", `lium-agent serve --config ${made.configPath}`],
          ],
          paint,
        ),
      );
    });
  withConfig(program.command("serve"), host)
    .description("Run in the foreground, as systemd does")
    .option("--json", "print errors as JSON; the log is JSON always")
    .action(async ({ config: configPath }: Pick<InitOptions, "config">) => {
      const { serveAgent } = await import("../main.ts");
      await serveAgent({ configPath });
    });
}

function withConfig(command: Command, { env }: CliHost): Command {
  return command.option("--config <file>", "agent.toml; LIUM_AGENT_CONFIG", env["LIUM_AGENT_CONFIG"] ?? DEFAULT_CONFIG);
}
