/**
 * `as-validator rent`: asks for a pod, waits until a renter can log in, and ends with the line that logs in.
 */
import type { Command } from "commander";

import type { Commands } from "../../common/cli/output.ts";
import { amount, assignment, count, duration, durationOption, port, repeated, size, volume } from "./arguments.ts";
import { type RentOptions, rentRequest } from "./rent.ts";
import {
  type ValidatorClient,
  type ValidatorClientOptions,
  validatorCommand,
  withValidator,
} from "./validator-client.ts";
import { sshLine } from "./views.ts";
import { notReached, untilPhase } from "./wait.ts";

interface RentCommandOptions extends RentOptions, ValidatorClientOptions {
  readonly wait: boolean;
  /** Milliseconds. */
  readonly timeout: number;
}

const EXAMPLE = `
Example:
  lium-agent as-validator rent --url http://agent:8091 --hotkey-file hotkey.json \\
    --image debian:12 --gpus 1 --memory 4GiB --ssh-key ~/.ssh/id_ed25519.pub --lease 2h -- sleep infinity`;

export function addRentCommand(parent: Command, commands: Commands): void {
  const command = validatorCommand(parent, "rent [command...]", "Rent a pod; what stands after -- is its command")
    .option("--command", "followed by -- and the command; may be left out")
    .requiredOption("--image <reference>", "such as debian:12")
    .requiredOption("--ssh-key <file>", "a public key that may log in; repeat for more", repeated)
    .requiredOption("--lease <duration>", "how long from now on, such as 1h", duration)
    .option("--grace <duration>", "how long the stopped pod is kept after the lease; 5m when left out", duration);
  withSize(command)
    .option("--port <port>", "a port to publish, such as 8080/tcp; repeat for more", port)
    .option("--env <name=value>", "repeat for more; a name alone takes the value from here", assignment)
    .option("--secret-env <name=value>", "the same, sealed so that only the host can read it", assignment)
    .option("--volume <name:/path>", "data that outlives the pod, and where it is mounted", volume)
    .option("--entrypoint <word>", "in place of the image's; repeat for each word", repeated)
    .option("--read-only", "a root file system that cannot be written")
    .option("--host <host-id>", "only on this host")
    .option("--wait", "until a renter can log in", true)
    .option("--no-wait", "answer as soon as the pod is accepted")
    .addOption(durationOption("--timeout <duration>", "how long to wait; the pod goes on", 900_000))
    .addHelpText("after", EXAMPLE)
    .action((words: string[], options: RentCommandOptions) =>
      withValidator(options, (client) => rent(client, words, options, commands)),
    );
}

function withSize(command: Command): Command {
  return command
    .option("--gpus <count>", "none when left out", count)
    .option("--gpu-model <text>", "a part of the model's name, such as H100")
    .option("--cpus <number>", "1 when left out", amount)
    .option("--memory <size>", "1GiB when left out", size)
    .option("--shm <size>", "of /dev/shm, within the memory; 64MiB when left out", size)
    .option("--disk <size>", "10GiB when left out", size);
}

async function rent(
  client: ValidatorClient,
  words: string[],
  options: RentCommandOptions,
  { host, output }: Commands,
): Promise<void> {
  const body = await rentRequest(options, words, { host, client });
  const accepted = await client.createPod({ body });
  if (!options.wait) return output.result(accepted, () => accepted.podId);
  output.note(`${accepted.podId} on ${accepted.hostId}`);
  const signal = host.interrupted();
  const { progress } = output;
  const pod = await untilPhase(accepted, "running", {
    client,
    clock: host.clock,
    timeoutMs: options.timeout,
    signal,
    progress,
  });
  output.result(pod, () => sshLine(pod) ?? pod.podId);
  if (pod.status.phase !== "running") throw notReached(pod, "running");
}
