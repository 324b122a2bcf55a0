/**
 * `lium-agent gpus`: the accelerators of all hosts as these told of them last, and their metrics as text.
 */
import type { Command } from "commander";

import type { Commands } from "../../common/cli/output.ts";
import { durationOption } from "./arguments.ts";
import { breakerText, gpuTable, gpuText } from "./gpu-views.ts";
import { operatorCommand, type SocketOption, withAgent } from "./operator-command.ts";

interface ListOptions extends SocketOption {
  readonly host?: string;
  readonly watch?: boolean;
  readonly every: number;
}

export function addGpuCommands(gpus: Command, { host, output }: Commands): void {
  operatorCommand(gpus, "list", "What there is, who has it, and whether it is well", host)
    .option("--host <host-id>", "only on this host")
    .option("--watch", "again and again, until Ctrl-C")
    .addOption(durationOption("--every <duration>", "how often, with --watch", 5_000))
    .action((options: ListOptions) =>
      withAgent(options, async (agent) => {
        const signal = options.watch === true ? host.interrupted() : AbortSignal.abort();
        do {
          const answer = await agent.listGpus({ query: { hostId: options.host } });
          output.item(answer, (paint) => gpuTable(answer.gpus, host.clock.now(), paint));
          await host.clock.sleep(options.every, signal).catch(() => undefined);
        } while (!signal.aborted);
      }),
    );
  operatorCommand(gpus, "show <uuid>", "Everything that is known of one", host).action(
    (uuid: string, options: SocketOption) =>
      withAgent(options, async (agent) => {
        const details = await agent.getGpu({ params: { uuid } });
        output.result(details, (paint) => gpuText(details, paint));
      }),
  );
  operatorCommand(gpus, "breaker", "Whether hosts may reset GPUs and boot by themselves", host).action(
    (options: SocketOption) =>
      withAgent(options, async (agent) => {
        const breaker = await agent.gpuBreaker({});
        output.result(breaker, () => breakerText(breaker));
      }),
  );
  operatorCommand(gpus, "resume", "Let them again, after GPUs failed on many hosts at the same time", host).action(
    (options: SocketOption) =>
      withAgent(options, async (agent) => {
        const breaker = await agent.resumeRemedies({});
        output.result(breaker, () => breakerText(breaker));
      }),
  );
  operatorCommand(gpus, "metrics", "What Prometheus reads, for its textfile collector", host).action(
    (options: SocketOption) =>
      withAgent(options, async (agent) => {
        const metrics = await agent.metrics({});
        output.result({ metrics }, () => metrics.trimEnd());
      }),
  );
}
