/**
 * The program `lium-executor`, for the operator of a GPU host.
 */
import type { Command } from "commander";

import type { Commands } from "../../common/cli/output.ts";
import { processHost, runProgram } from "../../common/cli/program.ts";
import { loadExecutorConfig } from "../config.ts";
import { addFaultsCommands } from "./faults.ts";
import { addGpusCommands } from "./gpus.ts";
import { addHealthCommands } from "./health.ts";
import { withHost } from "./host-client.ts";
import { addImagesCommands } from "./images.ts";
import { addStateCommands } from "./state.ts";
import { addStraysCommands } from "./strays.ts";
import { addUsageCommands } from "./usage.ts";
import { addVolumesCommands } from "./volumes.ts";

interface Options {
  readonly config: string;
}

const DEFAULT_CONFIG = "/etc/lium/executor.toml";
const KIT_BUILD_MS = 120_000;

function addCommands(program: Command, { host, output }: Commands): void {
  const add = (parent: Command, name: string, description: string): Command =>
    parent
      .command(name)
      .description(description)
      .option(
        "--config <file>",
        "executor.toml; LIUM_EXECUTOR_CONFIG",
        host.env["LIUM_EXECUTOR_CONFIG"] ?? DEFAULT_CONFIG,
      )
      .option("--json", "print JSON");

  add(program, "serve", "Run in the foreground, as systemd does").action(async ({ config }: Options) => {
    const { serveExecutor } = await import("../main.ts");
    await serveExecutor({ configPath: config });
  });
  add(program, "join <token>", "Join the agent that made this token with `lium-agent invite`").action(
    async (token: string, { config }: Options) => {
      const { joinAgent } = await import("../link/membership.ts");
      const { stateDir } = await loadExecutorConfig(config);
      const { url } = await joinAgent(stateDir, token);
      output.result({ joined: url }, () => `Joined ${url}. Start or restart the executor to connect.`);
    },
  );
  add(program, "status", "What this host promised: its agent and its pods, from the ledger on disk").action(
    async ({ config }: Options) => {
      const { readStatus, statusText } = await import("./status.ts");
      const status = await readStatus(await loadExecutorConfig(config));
      output.result(status, (paint) => statusText(status, paint));
    },
  );
  const gpus = addGpusCommands(program, { host, output, add });
  addHealthCommands(gpus, { output, add, withHost });
  addFaultsCommands(program, { output, add, withHost });
  addImagesCommands(program, { output, add, withHost, interrupted: () => host.interrupted() });
  addVolumesCommands(program, { output, add, withHost, host });
  addUsageCommands(program, { output, add, withHost });
  addStateCommands(program, { output, add });
  addStraysCommands(program, { output, add, withHost });
  const kit = program.command("kit").description("The pod kit: what gives every pod its SSH server");
  add(kit, "build", "Build the kit for what is installed, if it is not there").action(async ({ config }: Options) => {
    const { buildPodKit } = await import("../ssh/pod-kit.ts");
    const { stateDir } = await loadExecutorConfig(config);
    const built = await buildPodKit({ stateDir, signal: AbortSignal.timeout(KIT_BUILD_MS) });
    output.result(built, () => built.dir);
  });
  add(kit, "packages", "The distribution packages that the kit is made of").action(async () => {
    const { KIT_PACKAGES } = await import("../ssh/pod-kit.ts");
    output.result({ packages: KIT_PACKAGES }, () => KIT_PACKAGES.join(" "));
  });
}

const description = "Runs renters' pods on this host and reports to the agent.";
process.exitCode = await runProgram(
  { name: "lium-executor", description, addCommands },
  process.argv.slice(2),
  processHost(),
);
