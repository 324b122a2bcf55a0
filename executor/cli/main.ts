#!/usr/bin/env node
/**
 * The executor's commands, for the operator of a GPU host.
 */
import { Command } from "commander";

import { printFailure, printResult } from "../../common/cli-output.ts";
import { VERSION } from "../../common/version.ts";
import { loadExecutorConfig } from "../config.ts";

interface Options {
  readonly config: string;
  readonly json?: boolean;
}

const DEFAULT_CONFIG = process.env["LIUM_EXECUTOR_CONFIG"] ?? "/etc/lium/executor.toml";

function program(): Command {
  const root = new Command("lium-executor")
    .description("Runs renters' pods on this host and reports to the agent.")
    .version(VERSION)
    .showHelpAfterError();
  command(root, "serve", "Run in the foreground, as systemd does").action(async (options: Options) => {
    const { serveExecutor } = await import("../main.ts");
    await serveExecutor({ configPath: options.config });
  });
  command(root, "join <token>", "Join the agent that made this token with `lium-agent invite`").action(
    async (token: string, options: Options) => {
      const { joinAgent } = await import("../link/membership.ts");
      const config = await loadExecutorConfig(options.config);
      const { url } = await joinAgent(config.stateDir, token);
      printResult({ joined: url }, options, `Joined ${url}. Start or restart the executor to connect.`);
    },
  );
  command(root, "status", "What this host promised: its agent and its pods, from the ledger on disk").action(
    async (options: Options) => {
      const { readStatus, statusText } = await import("./status.ts");
      const status = await readStatus(await loadExecutorConfig(options.config));
      printResult(status, options, statusText(status));
    },
  );
  const kit = root.command("kit").description("The pod kit: what gives every pod its SSH server");
  command(kit, "build", "Build the kit for this version, if it is not there").action(async (options: Options) => {
    const { buildPodKit } = await import("../ssh/pod-kit.ts");
    const { stateDir } = await loadExecutorConfig(options.config);
    const built = await buildPodKit({ stateDir, signal: AbortSignal.timeout(120_000) });
    printResult(built, options, built.dir);
  });
  command(kit, "packages", "The distribution packages that the kit is made of").action(async (options: Options) => {
    const { KIT_PACKAGES } = await import("../ssh/pod-kit.ts");
    printResult({ packages: KIT_PACKAGES }, options, KIT_PACKAGES.join(" "));
  });
  return root;
}

function command(parent: Command, name: string, description: string): Command {
  return parent
    .command(name)
    .description(description)
    .option("--config <file>", "executor.toml", DEFAULT_CONFIG)
    .option("--json", "print one JSON document");
}

try {
  await program().parseAsync();
} catch (error) {
  process.exitCode = printFailure(error, { json: process.argv.includes("--json") });
}
