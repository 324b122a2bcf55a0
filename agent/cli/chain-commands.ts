/**
 * `lium-agent chain`: how the agent stands on the subnet, what it announces there, and whom it serves because of it.
 */
import type { Command } from "commander";

import type { Commands } from "../../common/cli/output.ts";
import { createHttpClient, type HttpClient } from "../../common/http-client.ts";
import { chainApi } from "../../protocol/operator-chain.ts";
import { chainText, earningsText, validatorTable } from "./chain-views.ts";
import { operatorCommand, type SocketOption } from "./operator-command.ts";

/** An announcement waits for blocks. */
const TIMEOUT_MS = 30_000;

export function addChainCommands(program: Command, { host, output }: Commands): void {
  const chain = program.command("chain").description("The agent on the subnet: standing, address, validators");
  operatorCommand(chain, "status", "Registered or not, announced or not, and what went wrong", host).action(
    (options: SocketOption) =>
      withChain(options, async (agent) => {
        const status = await agent.chainStatus({});
        output.result(status, (paint) => chainText(status, host.clock.now(), paint));
      }),
  );
  operatorCommand(chain, "announce", "Tell the chain now where validators find this agent", host).action(
    (options: SocketOption) =>
      withChain(options, async (agent) => {
        const status = await agent.announce({});
        output.result(status, (paint) => chainText(status, host.clock.now(), paint));
      }),
  );
  operatorCommand(chain, "validators", "Who has a permit, and who of them is served", host).action(
    (options: SocketOption) =>
      withChain(options, async (agent) => {
        const answer = await agent.chainValidators({});
        output.result(answer, (paint) => validatorTable(answer.validators, paint));
      }),
  );
  operatorCommand(chain, "earnings", "Incentive, emission and rank among the miners", host).action(
    (options: SocketOption) =>
      withChain(options, async (agent) => {
        const { registered, standing, readAt, netuid } = await agent.chainStatus({});
        const earnings = { netuid, registered, readAt, ...standing };
        output.result(earnings, (paint) => earningsText(earnings, paint));
      }),
  );
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
