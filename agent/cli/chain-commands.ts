/**
 * `lium-agent chain`: how the agent stands on the subnet, what it announces there, and whom it serves because of it.
 */
import type { Command } from "commander";

import type { CliHost, Commands } from "../../common/cli/output.ts";
import { createHttpClient, type HttpClient } from "../../common/http-client.ts";
import { chainApi } from "../../protocol/operator-chain.ts";
import { chainText, earningsText, validatorTable } from "./chain-views.ts";

const DEFAULT_SOCKET = "/run/lium-agent/agent.sock";
/** An announcement waits for blocks. */
const TIMEOUT_MS = 30_000;

interface SocketOption {
  readonly socket: string;
}

export function addChainCommands(program: Command, { host, output }: Commands): void {
  const chain = program.command("chain").description("The agent on the subnet: standing, address, validators");
  chainCommand(chain, "status", "Registered or not, announced or not, and what went wrong", host).action(
    (options: SocketOption) =>
      withChain(options, async (agent) => {
        const status = await agent.chainStatus({});
        output.result(status, (paint) => chainText(status, host.clock.now(), paint));
      }),
  );
  chainCommand(chain, "announce", "Tell the chain now where validators find this agent", host).action(
    (options: SocketOption) =>
      withChain(options, async (agent) => {
        const status = await agent.announce({});
        output.result(status, (paint) => chainText(status, host.clock.now(), paint));
      }),
  );
  chainCommand(chain, "validators", "Who has a permit, and who of them is served", host).action(
    (options: SocketOption) =>
      withChain(options, async (agent) => {
        const answer = await agent.chainValidators({});
        output.result(answer, (paint) => validatorTable(answer.validators, paint));
      }),
  );
  chainCommand(chain, "earnings", "Incentive, emission and rank among the miners", host).action(
    (options: SocketOption) =>
      withChain(options, async (agent) => {
        const { registered, standing, readAt, netuid } = await agent.chainStatus({});
        const earnings = { netuid, registered, readAt, ...standing };
        output.result(earnings, (paint) => earningsText(earnings, paint));
      }),
  );
}

function chainCommand(parent: Command, name: string, description: string, { env }: CliHost): Command {
  return parent
    .command(name)
    .description(description)
    .option("--socket <path>", "the agent's socket; LIUM_AGENT_SOCKET", env["LIUM_AGENT_SOCKET"] ?? DEFAULT_SOCKET)
    .option("--json", "print JSON");
}

async function withChain(
  { socket }: SocketOption,
  work: (agent: HttpClient<typeof chainApi>) => Promise<void>,
): Promise<void> {
  const agent = createHttpClient(chainApi, { at: { socketPath: socket }, timeoutMs: TIMEOUT_MS });
  try {
    await work(agent);
  } finally {
    await agent.close();
  }
}
