/**
 * Runs `lium-agent` in this process and keeps what it prints.
 */
import { runCli } from "../../agent/cli/program.ts";
import type { CliHost } from "../../common/cli/output.ts";
import { T0 } from "./builders.ts";

export interface CliRun {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliWorld {
  readonly isTTY?: boolean;
  readonly env?: CliHost["env"];
  readonly interrupted?: AbortSignal;
}

/** A minute after T0, in a pipe, with an empty environment, unless the test says otherwise. */
export async function cli(argv: readonly string[], world: CliWorld = {}): Promise<CliRun> {
  const written = { stdout: "", stderr: "" };
  const { isTTY = false, env = {}, interrupted = new AbortController().signal } = world;
  const sink = (name: keyof typeof written) => ({ isTTY, write: (text: string) => (written[name] += text) });
  const exitCode = await runCli(argv, {
    stdout: sink("stdout"),
    stderr: sink("stderr"),
    env,
    clock: { now: () => T0 + 60_000, monotonic: () => 0, sleep: async () => undefined },
    interrupted: () => interrupted,
  });
  return { exitCode, ...written };
}
