/**
 * The operator's commands: each asks the agent over its unix socket and prints the answer.
 */
import type { Command } from "commander";

import type { Commands } from "../../common/cli/output.ts";
import { durationOption } from "./arguments.ts";
import { addGpuCommands } from "./gpu-commands.ts";
import { operatorCommand, type SocketOption, withAgent } from "./operator-command.ts";
import {
  eventQuery,
  logQuery,
  printEvents,
  printLogs,
  type StreamOptions,
  withEventOptions,
  withLogOptions,
} from "./streams.ts";
import { capacityTable, hostTable, hostText, podTable, podText, statusText } from "./views.ts";

export function addOperatorCommands(program: Command, commands: Commands): void {
  addAgentCommands(program, commands);
  const hosts = program.command("hosts").description("The GPU hosts that joined this agent");
  const pods = program.command("pods").description("The pods on all hosts");
  addHostCommands(hosts, commands);
  addGpuCommands(program.command("gpus").description("The accelerators of all hosts"), commands);
  addPodCommands(pods, commands);
  addPodStreams(pods, commands);
}

function addAgentCommands(program: Command, { host, output }: Commands): void {
  operatorCommand(program, "status", "The agent in one look", host).action((options: SocketOption) =>
    withAgent(options, async (agent) => {
      const status = await agent.status({});
      output.result(status, (paint) => statusText(status, host.clock.now(), paint));
    }),
  );
  operatorCommand(program, "capacity", "What validators are offered now", host).action((options: SocketOption) =>
    withAgent(options, async (agent) => {
      const capacity = await agent.capacity({});
      output.result(capacity, (paint) => capacityTable(capacity, paint));
    }),
  );
  operatorCommand(program, "invite", "Make a join token for one new host", host)
    .addOption(durationOption("--ttl <duration>", "how long it may be used", 3_600_000))
    .action((options: SocketOption & { readonly ttl: number }) =>
      withAgent(options, async (agent) => {
        const invitation = await agent.invite({ body: { ttlSeconds: Math.round(options.ttl / 1000) } });
        output.note(`On the new host, before ${invitation.expiresAt}: lium-executor join TOKEN, with this token:`);
        output.result(invitation, () => invitation.token);
      }),
    );
}

function addHostCommands(hosts: Command, { host, output }: Commands): void {
  operatorCommand(hosts, "list", "All hosts", host).action((options: SocketOption) =>
    withAgent(options, async (agent) => {
      const answer = await agent.listHosts({});
      output.result(answer, (paint) => hostTable(answer.hosts, host.clock.now(), paint));
    }),
  );
  operatorCommand(hosts, "show <host-id>", "One host", host).action((hostId: string, options: SocketOption) =>
    withAgent(options, async (agent) => {
      const view = await agent.getHost({ params: { hostId } });
      output.result(view, (paint) => hostText(view, paint));
    }),
  );
}

function addPodCommands(pods: Command, { host, output }: Commands): void {
  operatorCommand(pods, "list", "All pods, the newest first", host)
    .option("--all", "also those that are over")
    .option("--host <host-id>", "only on this host")
    .action((options: SocketOption & { readonly all?: boolean; readonly host?: string }) =>
      withAgent(options, async (agent) => {
        const query = { all: String(options.all === true), hostId: options.host };
        const answer = await agent.listPods({ query });
        output.result(answer, (paint) => podTable(answer.pods, host.clock.now(), paint));
      }),
    );
  const changes = [
    ["show", "One pod", "getPod"],
    ["terminate", "End a pod and erase its disk", "terminatePod"],
    ["adopt", "Take an unclaimed pod as this agent's own", "adoptPod"],
  ] as const;
  for (const [name, description, route] of changes) {
    operatorCommand(pods, `${name} <pod-id>`, description, host).action((podId: string, options: SocketOption) =>
      withAgent(options, async (agent) => {
        const view = await agent[route]({ params: { podId } });
        output.result(view, (paint) => podText(view, paint));
      }),
    );
  }
}

function addPodStreams(pods: Command, { host, output }: Commands): void {
  const logs = operatorCommand(pods, "logs <pod-id>", "What a pod's main process wrote", host);
  withLogOptions(logs, host).action((podId: string, options: SocketOption & StreamOptions) =>
    withAgent(options, (agent) => {
      const lines = agent.podLogs({ params: { podId }, query: logQuery(options) }, host.interrupted());
      return printLogs(lines, options, output);
    }),
  );
  const events = operatorCommand(pods, "events <pod-id>", "What happened to a pod", host);
  withEventOptions(events).action((podId: string, options: SocketOption & StreamOptions) =>
    withAgent(options, (agent) => {
      const items = agent.podEvents({ params: { podId }, query: eventQuery(options) }, host.interrupted());
      return printEvents(items, output);
    }),
  );
}
