/**
 * `as-validator challenge`: has a host prove what it is, and says what of that holds.
 */
import { type Command, Option } from "commander";

import type { Commands } from "../../common/cli/output.ts";
import type { Offer } from "../../protocol/capacity.ts";
import type { HostTask, PublicPort } from "../../protocol/challenge/host-messages.ts";
import { type GpuTask, productFilling, shapeFilling, TILE } from "../../protocol/challenge/task.ts";
import { AppError } from "../../protocol/errors.ts";
import type { GpuUuid } from "../../protocol/ids.ts";
import type { Examiner } from "../examiner/examiner.ts";
import { challengeGpus } from "../examiner/gpus.ts";
import { askInventory, probePorts, tryBandwidth, tryDisk, tryPod } from "../examiner/host.ts";
import { count, durationOption, port, repeated, size } from "./arguments.ts";
import { bandwidthText, diskText, gpuFindingText, inventoryText, podText, portsText } from "./challenge-views.ts";
import { readKeys } from "./rent.ts";
import { type ValidatorClientOptions, validatorCommand, withValidator } from "./validator-client.ts";

interface Options extends ValidatorClientOptions {
  readonly host?: string;
  /** Milliseconds. */
  readonly within: number;
}

interface GpuOptions extends Options {
  readonly gpu?: readonly string[];
  readonly size?: number;
  readonly rounds: number;
  readonly openings: number;
  readonly walkers: number;
  readonly steps: number;
}

/** What a command works with. */
interface Asking {
  readonly offer: Offer;
  readonly examiner: Examiner;
  readonly signal: AbortSignal;
}

const GIB = 2 ** 30;
/** Of a GPU's memory where nobody says how much; more is better proof and takes longer. */
const USUAL_SHARE = 0.25;
const USUAL_MOST_BYTES = 3 * GIB;
const EXAMPLE = `
Examples:
  lium-agent as-validator challenge compute --url http://agent:8091 --hotkey-file hotkey.json --size 20GiB
  lium-agent as-validator challenge ports   --url http://agent:8091 --hotkey-file hotkey.json --port 40000/tcp`;

export function addChallengeCommands(parent: Command, commands: Commands): void {
  const group = parent
    .command("challenge")
    .description("Have a host prove what it is: compute, memory, inventory, ports, disk, bandwidth, pod")
    .addHelpText("after", EXAMPLE);
  addGpuCommands(group, commands);
  addHostCommands(group, commands);
  addPodCommand(group, commands);
}

function addGpuCommands(group: Command, commands: Commands): void {
  const { output } = commands;
  for (const [kind, description] of [
    ["compute", "Exact products of matrices, checked at a fraction of their cost"],
    ["memory", "Walks over memory that is filled with what is costly to make again"],
  ] as const) {
    const command = challengeCommand(group, kind, description)
      .option("--gpu <uuid>", "this GPU; repeat for more; every free one when left out", repeated)
      .option("--size <size>", "how much memory is filled on each; a quarter, and at most 3GiB, when left out", size);
    const withShape =
      kind === "compute"
        ? command
            .addOption(new Option("--rounds <count>", "products in turn").argParser(count).default(1))
            .addOption(new Option("--openings <count>", "rows to be shown of each").argParser(count).default(64))
        : command
            .addOption(new Option("--walkers <count>", "walks at the same time").argParser(count).default(65_536))
            .addOption(new Option("--steps <count>", "reads of each walk").argParser(count).default(2_048));
    withShape.action((options: GpuOptions) =>
      asking(options, commands, async ({ offer, examiner, signal }) => {
        const gpus = gpusOf(offer, options);
        const task = taskOf(kind, offer, gpus, options);
        output.note(`Asking ${gpus.length} GPU(s) of ${offer.hostId}: ${task.rows} x ${task.inner} x ${task.columns}`);
        const deadlines = { commitWithinMs: options.within, answerWithinMs: options.within };
        const question = { hostKey: offer.hostKey, gpus, task, ...deadlines };
        const finding = await challengeGpus(question, examiner, signal);
        output.result(finding, (paint) => gpuFindingText(finding, paint));
        if (!finding.ok) throw new AppError("challenge-failed", { message: "A GPU's answer does not hold." });
      }),
    );
  }
}

function addHostCommands(group: Command, commands: Commands): void {
  const { output } = commands;
  challengeCommand(group, "inventory", "What the host is, each fact from two sources").action((options: Options) =>
    asking(options, commands, async ({ offer, examiner, signal }) => {
      const found = await askInventory(questionOf(offer, options), examiner, signal);
      output.result(found, (paint) => inventoryText(found, paint));
    }),
  );
  challengeCommand(group, "ports", "Whether ports of the host are reached from here")
    .requiredOption("--port <port>", "such as 40000/tcp; repeat for more", port)
    .action((options: Options & { readonly port: readonly { containerPort: number; protocol: "tcp" | "udp" }[] }) =>
      asking(options, commands, async ({ offer, examiner, signal }) => {
        const ports: PublicPort[] = options.port.map((one) => ({ port: one.containerPort, protocol: one.protocol }));
        const task: Extract<HostTask, { kind: "ports" }> = { kind: "ports", ports, openSeconds: 30 };
        const found = await probePorts({ ...questionOf(offer, options), task }, examiner, signal);
        output.result({ ports: found }, (paint) => portsText(found, paint));
        insist(
          found.every(({ ok }) => ok),
          "A port is not reached.",
        );
      }),
    );
  challengeCommand(group, "disk", "Write a stream where pods write, and read it again")
    .addOption(sizeOption(GIB))
    .action((options: Options & { readonly size: number }) =>
      asking(options, commands, async ({ offer, examiner, signal }) => {
        const task = { kind: "disk", bytes: options.size } as const;
        const found = await tryDisk({ ...questionOf(offer, options), task }, examiner, signal);
        output.result(found, (paint) => diskText(found, paint));
        insist(found.ok, "What was read is not what was written.");
      }),
    );
  challengeCommand(group, "bandwidth", "Pull a stream from a port of the host")
    .addOption(sizeOption(GIB / 4))
    .action((options: Options & { readonly size: number }) =>
      asking(options, commands, async ({ offer, examiner, signal }) => {
        const task = { kind: "bandwidth", bytes: options.size, openSeconds: 120 } as const;
        const found = await tryBandwidth({ ...questionOf(offer, options), task }, examiner, signal);
        output.result(found, (paint) => bandwidthText(found, paint));
        insist(found.ok, "What came is not the stream.");
      }),
    );
}

function addPodCommand(group: Command, commands: Commands): void {
  challengeCommand(group, "pod", "Rent a pod for a moment, by the way of every renter")
    .requiredOption("--image <reference>", "such as debian:12")
    .requiredOption("--ssh-key <file>", "a public key that may log in")
    .addOption(new Option("--gpus <count>", "how many").argParser(count).default(1))
    .action((options: Options & { readonly image: string; readonly sshKey: string; readonly gpus: number }) =>
      asking(options, commands, async ({ offer, examiner, signal }) => {
        const [sshKey = ""] = await readKeys(options.sshKey);
        const { image, gpus } = options;
        const task = { kind: "pod", image, sshKey, gpus, openSeconds: 60 } as const;
        const found = await tryPod({ ...questionOf(offer, options), task }, examiner, signal);
        commands.output.result(found, (paint) => podText(found, paint));
        insist(found.ok, "What answers there is no SSH server.");
      }),
    );
}

function challengeCommand(group: Command, name: string, description: string): Command {
  return validatorCommand(group, name, description)
    .option("--host <host-id>", "this host; may be left out where there is one")
    .addOption(durationOption("--within <duration>", "for each step, by this side's clock", 300_000));
}

function sizeOption(usual: number): Option {
  return new Option("--size <size>", "how much").argParser(size).default(usual);
}

async function asking(options: Options, { host }: Commands, work: (asking: Asking) => Promise<void>): Promise<void> {
  await withValidator(options, async (client, parties) => {
    const { offers } = await client.capacity({});
    const examiner = { client, ...parties, clock: host.clock };
    await work({ offer: offerOf(offers, options.host), examiner, signal: host.interrupted() });
  });
}

function offerOf(offers: readonly Offer[], hostId: string | undefined): Offer {
  const [one, ...more] = offers.filter((offer) => hostId === undefined || offer.hostId === hostId);
  if (one !== undefined && more.length === 0) return one;
  if (one === undefined) throw new AppError("host-not-found", { message: "No such host is connected now." });
  const known = offers.map((offer) => offer.hostId).join(", ");
  throw new AppError("invalid-request", { message: `There are several hosts; name one with --host: ${known}.` });
}

function questionOf({ hostKey, publicAddress }: Offer, { within }: Options) {
  return { hostKey, address: publicAddress, answerWithinMs: within };
}

function gpusOf({ gpus }: Offer, { gpu }: GpuOptions): GpuUuid[] {
  const unknown = gpu?.find((uuid) => !gpus.some((one) => one.uuid === uuid));
  if (unknown !== undefined) throw new AppError("gpu-unknown", { message: `This host offers no GPU ${unknown}.` });
  const asked = gpus.filter(({ uuid, free }) => gpu?.includes(uuid) ?? free).map(({ uuid }) => uuid);
  if (asked.length > 0) return asked;
  throw new AppError("gpu-taken", { message: "No GPU of this host is free, so that none can be asked." });
}

function taskOf(kind: GpuTask["kind"], { gpus }: Offer, asked: readonly GpuUuid[], options: GpuOptions): GpuTask {
  const smallest = Math.min(...gpus.filter(({ uuid }) => asked.includes(uuid)).map(({ memoryBytes }) => memoryBytes));
  const bytes = options.size ?? Math.min(USUAL_MOST_BYTES, smallest * USUAL_SHARE);
  const { rounds, openings, walkers, steps } = options;
  if (kind === "compute") {
    const shape = shapeFilling(bytes);
    if (shape !== undefined) return { kind, ...shape, rounds, openings: Math.min(openings, 128) };
  } else {
    const shape = productFilling(bytes, innerFor(bytes));
    if (shape !== undefined) return { kind, ...shape, walkers, steps };
  }
  throw new AppError("invalid-request", { message: `${bytes} bytes are too few; ask for at least 1MiB.` });
}

/** 16,384 from 1 GiB on, as docs/challenges.md asks for; below that less, or filling a small memory takes minutes. */
function innerFor(bytes: number): number {
  return Math.min(16_384, Math.max(TILE, Math.floor(Math.sqrt(bytes) / (2 * TILE)) * TILE));
}

function insist(ok: boolean, message: string): void {
  if (!ok) throw new AppError("challenge-failed", { message });
}
