/**
 * What the operator's commands share: where the agent's socket is, and a client that is closed when the work is done.
 */
import type { Command } from "commander";

import type { CliHost } from "../../common/cli/output.ts";
import { createHttpClient, type HttpClient } from "../../common/http-client.ts";
import { operatorApi } from "../../protocol/operator-api.ts";
import { breakerApi } from "../../protocol/operator-gpus.ts";

const API = { ...operatorApi, ...breakerApi };

const DEFAULT_SOCKET = "/run/lium-agent/agent.sock";
const TIMEOUT_MS = 30_000;

export interface SocketOption {
  readonly socket: string;
}

/** A command that has what all have which ask the agent. */
export function operatorCommand(parent: Command, name: string, description: string, { env }: CliHost): Command {
  return parent
    .command(name)
    .description(description)
    .option("--socket <path>", "the agent's socket; LIUM_AGENT_SOCKET", env["LIUM_AGENT_SOCKET"] ?? DEFAULT_SOCKET)
    .option("--json", "print JSON");
}

/** Throws what the agent refuses, and `connection-failed` where it cannot be reached. */
export async function withAgent(
  { socket }: SocketOption,
  work: (agent: HttpClient<typeof API>) => Promise<void>,
): Promise<void> {
  const agent = createHttpClient(API, { at: { socketPath: socket }, timeoutMs: TIMEOUT_MS });
  try {
    await work(agent);
  } finally {
    await agent.close();
  }
}
