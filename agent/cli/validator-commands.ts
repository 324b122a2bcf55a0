/**
 * `as-validator`: the validator API from the outside, signed with a hotkey, against any agent.
 */
import type { Command } from "commander";

import type { Commands } from "../../common/cli/output.ts";
import type { PodView } from "../../protocol/pod.ts";
import { duration, durationOption } from "./arguments.ts";
import { addChallengeCommands } from "./challenge-commands.ts";
import { addRentCommand } from "./rent-command.ts";
import { leaseOf, readKeys } from "./rent.ts";
import {
  eventQuery,
  logQuery,
  printEvents,
  printLogs,
  type StreamOptions,
  withEventOptions,
  withLogOptions,
} from "./streams.ts";
import { type ValidatorClientOptions, validatorCommand, withValidator } from "./validator-client.ts";
import { capacityTable, podTable, podText } from "./views.ts";
import { notReached, untilPhase } from "./wait.ts";

type Caller = ValidatorClientOptions;

export function addValidatorCommands(program: Command, commands: Commands): void {
  const parent = program
    .command("as-validator")
    .description("Speak to an agent as a validator does: signed with a hotkey that it serves");
  addReadCommands(parent, commands);
  addRentCommand(parent, commands);
  addChangeCommands(parent, commands);
  addTerminateCommand(parent, commands);
  addChallengeCommands(parent, commands);
  addKeyCommands(parent.command("keys").description("Who may log in to a pod"), commands);
  addStreamCommands(parent, commands);
}

function addReadCommands(parent: Command, { host, output }: Commands): void {
  validatorCommand(parent, "capacity", "What can be rented now").action((options: Caller) =>
    withValidator(options, async (client) => {
      const capacity = await client.capacity({});
      output.result(capacity, (paint) => capacityTable(capacity, paint));
    }),
  );
  validatorCommand(parent, "pods", "Your pods, the newest first")
    .option("--all", "also those that are over")
    .action((options: Caller & { readonly all?: boolean }) =>
      withValidator(options, async (client) => {
        const answer = await client.listPods({ query: { all: String(options.all === true) } });
        output.result(answer, (paint) => podTable(answer.pods, host.clock.now(), paint));
      }),
    );
  validatorCommand(parent, "show <pod-id>", "One pod").action((podId: string, options: Caller) =>
    withValidator(options, async (client) => showPod(await client.getPod({ params: { podId } }), { host, output })),
  );
}

function addChangeCommands(parent: Command, commands: Commands): void {
  const changes = [
    ["stop", "Stop a pod; its disk and GPUs are kept", "stopPod"],
    ["start", "Start a stopped or exited pod", "startPod"],
    ["restart", "Stop and start a pod", "restartPod"],
  ] as const;
  for (const [name, description, route] of changes) {
    validatorCommand(parent, `${name} <pod-id>`, description).action((podId: string, options: Caller) =>
      withValidator(options, async (client) => showPod(await client[route]({ params: { podId } }), commands)),
    );
  }
  validatorCommand(parent, "extend <pod-id>", "Replace the lease of a pod")
    .requiredOption("--lease <duration>", "when it ends, from now on", duration)
    .option("--grace <duration>", "how long the stopped pod is kept after that; 5m when left out", duration)
    .action((podId: string, options: Caller & { readonly lease: number; readonly grace?: number }) =>
      withValidator(options, async (client) => {
        const body = leaseOf(options, commands.host.clock.now());
        showPod(await client.extendPod({ params: { podId }, body }), commands);
      }),
    );
}

interface TerminateOptions extends Caller {
  readonly wait?: boolean;
  readonly timeout: number;
}

function addTerminateCommand(parent: Command, commands: Commands): void {
  const { host, output } = commands;
  validatorCommand(parent, "terminate <pod-id>", "End a pod and erase its disk")
    .option("--wait", "until nothing of it is left")
    .addOption(durationOption("--timeout <duration>", "how long to wait", 300_000))
    .action((podId: string, options: TerminateOptions) =>
      withValidator(options, async (client) => {
        const asked = await client.terminatePod({ params: { podId } });
        if (options.wait !== true) return showPod(asked, commands);
        const signal = host.interrupted();
        const { progress } = output;
        const wait = { client, clock: host.clock, timeoutMs: options.timeout, signal, progress };
        const ended = await untilPhase(asked, "ended", wait);
        showPod(ended, commands);
        if (ended.status.phase !== "ended") throw notReached(ended, "ended");
      }),
    );
}

function addKeyCommands(keys: Command, commands: Commands): void {
  validatorCommand(keys, "add <pod-id> <key-file>", "Let one more public key log in").action(
    (podId: string, file: string, options: Caller) =>
      withValidator(options, async (client) => {
        const [key = ""] = await readKeys(file);
        showPod(await client.addSshKey({ params: { podId }, body: { key } }), commands);
      }),
  );
  validatorCommand(keys, "remove <pod-id> <fingerprint>", "Refuse new logins with a key: SHA256:...").action(
    (podId: string, fingerprint: string, options: Caller) =>
      withValidator(options, async (client) =>
        showPod(await client.removeSshKey({ params: { podId }, query: { fingerprint } }), commands),
      ),
  );
}

function addStreamCommands(parent: Command, { host, output }: Commands): void {
  const logs = validatorCommand(parent, "logs <pod-id>", "What a pod's main process wrote");
  withLogOptions(logs, host).action((podId: string, options: Caller & StreamOptions) =>
    withValidator(options, (client) => {
      const lines = client.podLogs({ params: { podId }, query: logQuery(options) }, host.interrupted());
      return printLogs(lines, options, output);
    }),
  );
  const events = validatorCommand(parent, "events <pod-id>", "What happened to a pod");
  withEventOptions(events).action((podId: string, options: Caller & StreamOptions) =>
    withValidator(options, (client) => {
      const items = client.podEvents({ params: { podId }, query: eventQuery(options) }, host.interrupted());
      return printEvents(items, output);
    }),
  );
}

function showPod(pod: PodView, { output }: Commands): void {
  output.result(pod, (paint) => podText(pod, paint));
}
