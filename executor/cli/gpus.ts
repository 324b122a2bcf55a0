/**
 * `lium-executor gpus`: what this host's accelerators are, read by the command itself, so that it works whether or not the
 * executor runs; or what the executor would see of another host, from a copy of its files or captures of its tools.
 */
import { existsSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";

import type { Command } from "commander";

import type { CliHost, Output, Paint, Style } from "../../common/cli/output.ts";
import { type Column, fields, table } from "../../common/cli/table.ts";
import { createLogger } from "../../common/logger.ts";
import type { Accelerator, Accelerators, Known } from "../../protocol/accelerator.ts";
import { AppError } from "../../protocol/errors.ts";
import { loadExecutorConfig } from "../config.ts";
import { changesBetween } from "../gpus/changes.ts";
import { GpusConfig } from "../gpus/config.ts";
import { judgementOf } from "../gpus/health/assess.ts";
import { judged } from "../gpus/health/judge.ts";
import { HEALTH_FILE, readHealth } from "../gpus/health/store.ts";
import { isUnavailable, mapKnown } from "../gpus/known.ts";
import { lookOnce } from "../gpus/look-once.ts";
import { loadHostKeys } from "../identity.ts";

export interface GpusCommands {
  readonly host: CliHost;
  readonly output: Output;
  /** Adds a command with the options that all commands have. */
  readonly add: (parent: Command, name: string, description: string) => Command;
}

interface Options {
  readonly config: string;
  readonly root?: string;
  readonly replay?: readonly string[];
}

interface WatchOptions extends Options {
  readonly every: string;
  readonly count?: string;
}

const MOST_CAPTURE_BYTES = 32 * 2 ** 20;

/** Gives the command that others add theirs to. */
export function addGpusCommands(program: Command, { host, output, add }: GpusCommands): Command {
  const gpus = program.command("gpus").description("The accelerators of this host");
  const addLook = (name: string, description: string): Command =>
    add(gpus, name, description)
      .option("--root <dir>", "read sysfs and procfs below this folder, and ask no driver")
      .option(
        "--replay <file...>",
        "read captured outputs of nvidia-smi, amd-smi, rocm-smi, xpu-smi or hl-smi instead of the machine",
      );

  addLook("list", "What there is, and whether it can be rented").action(async (options: Options) => {
    const look = await lookAt(options, host);
    output.result(look, (paint) => listText(look, paint));
  });
  addLook("show <uuid>", "Everything that is known of one").action(async (uuid: string, options: Options) => {
    const { gpus: all } = await lookAt(options, host);
    const gpu = all.find((one) => one.uuid === uuid || one.partitions.some((part) => part.uuid === uuid));
    if (gpu === undefined)
      throw new AppError("gpu-unknown", {
        message: `${uuid} is not on this host.`,
        details: { known: all.map((one) => one.uuid) },
      });
    output.result(gpu, (paint) => showText(gpu, paint));
  });
  addLook("watch", "The same again and again, and what changed; ends with Ctrl-C")
    .option("--every <seconds>", "how often", "5")
    .option("--count <times>", "end after so many looks")
    .action(async (options: WatchOptions) => {
      await watch(options, { host, output });
    });
  return gpus;
}

async function watch(options: WatchOptions, { host, output }: Pick<GpusCommands, "host" | "output">): Promise<void> {
  const everyMs = positive(options.every, "--every") * 1000;
  const times = options.count === undefined ? Infinity : positive(options.count, "--count");
  const signal = host.interrupted();
  let last: Accelerators | undefined;
  for (let look = 0; look < times && !signal.aborted; look += 1) {
    if (look > 0) await host.clock.sleep(everyMs, signal).catch(() => undefined);
    if (signal.aborted) return;
    const now = await lookAt(options, host, last);
    const changes = last === undefined ? [] : changesBetween(last, now);
    output.item({ ...now, changes }, (paint) =>
      [
        ...changes.map(({ kind, uuid, message }) => paint("yellow", `${kind} ${uuid}: ${message}`)),
        listText(now, paint),
      ].join("\n"),
    );
    last = now;
  }
}

function positive(text: string, option: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new AppError("invalid-request", { message: `${option} takes a number above 0, and not "${text}".` });
}

async function lookAt(
  { config, root, replay = [] }: Options,
  host: CliHost,
  last?: Accelerators,
): Promise<Accelerators> {
  const captures = await Promise.all(replay.map(readCapture));
  const log = createLogger({ name: "gpus", level: "error", output: { write: () => undefined } });
  const parts = { clock: host.clock, log, random: Math.random };
  // A capture is of another host, whose configuration is not here.
  if (root !== undefined || replay.length > 0) {
    return lookOnce({ config: GpusConfig.parse({}), seed: "", root, captures, last }, parts);
  }
  const { gpus, stateDir } = await loadExecutorConfig(config);
  const found = await lookOnce({ config: gpus, seed: await seedOf(stateDir), captures, last }, parts);
  // What the executor has concluded of them is in its state, also while it does not run.
  const health = await readHealth(join(stateDir, HEALTH_FILE));
  return health === "damaged" ? found : judged(found, judgementOf(health, found, host.clock.now()));
}

/** The executor's own, so that GPUs which are made up have the same UUIDs here as there. */
async function seedOf(stateDir: string): Promise<string> {
  return existsSync(join(stateDir, "identity.pem")) ? (await loadHostKeys(stateDir)).identity.publicKey : "no executor";
}

async function readCapture(name: string): Promise<{ name: string; text: string }> {
  const size = await stat(name).then(
    (file) => file.size,
    () => undefined,
  );
  if (size === undefined)
    throw new AppError("invalid-request", { message: `${name} cannot be read.`, details: { file: name } });
  if (size > MOST_CAPTURE_BYTES)
    throw new AppError("invalid-request", {
      message: `${name} is longer than a capture can be.`,
      details: { file: name },
    });
  return { name, text: await readFile(name, "utf8") };
}

const STYLE: Readonly<Record<Accelerator["health"]["state"], Style>> = {
  healthy: "green",
  suspect: "yellow",
  fenced: "red",
};
const GIB = 2 ** 30;

function listText({ gpus, sources }: Accelerators, paint: Paint): string {
  const troubles = sources.filter(({ state }) => state === "failed" || state === "probe-timeout");
  const notes = troubles.map(({ name, state, detail }) =>
    paint("yellow", `${name}: ${state}${detail === undefined ? "" : `: ${detail}`}`),
  );
  if (gpus.length === 0) return ["There are no accelerators.", ...notes].join("\n");
  const columns: Column<Accelerator>[] = [
    { title: "UUID", text: ({ uuid }) => uuid },
    { title: "MODEL", text: ({ model, simulated }) => `${said(model)}${simulated ? " (simulated)" : ""}` },
    { title: "PCI", text: ({ pciAddress }) => said(pciAddress) },
    {
      title: "MEMORY",
      text: ({ memory }) => said(mapKnown(memory.totalBytes, (bytes) => `${Math.round(bytes / GIB)} GiB`)),
    },
    { title: "USE", text: ({ utilisation }) => said(mapKnown(utilisation.gpuPercent, (percent) => `${percent} %`)) },
    {
      title: "TEMP",
      text: ({ temperature }) => said(mapKnown(temperature.gpuCelsius, (celsius) => `${Math.round(celsius)} C`)),
    },
    { title: "POWER", text: ({ power }) => said(mapKnown(power.drawWatts, (watts) => `${Math.round(watts)} W`)) },
    { title: "PARTS", text: ({ partitions }) => (partitions.length === 0 ? "" : String(partitions.length)) },
    {
      title: "HEALTH",
      text: ({ health }) => [health.state, ...health.reasons.map(({ code }) => code)].join(" "),
      style: ({ health }) => STYLE[health.state],
    },
  ];
  return [table(gpus, columns, paint), ...notes].join("\n");
}

/** A value, or why there is none. */
function said(value: Known<string | number | boolean>): string {
  return isUnavailable(value) ? `(${value.unavailable})` : String(value);
}

function showText(gpu: Accelerator, paint: Paint): string {
  return fields(
    Object.entries(gpu).flatMap(([name, value]) => linesOf(name, value)),
    paint,
  );
}

/** Each value under the names that lead to it. */
function linesOf(name: string, value: unknown): (readonly [string, string])[] {
  if (isUnavailable(value))
    return [[name, `(${value.unavailable}${value.detail === undefined ? "" : `: ${value.detail}`})`]];
  if (Array.isArray(value))
    return [[name, value.map((one) => (typeof one === "object" ? JSON.stringify(one) : String(one))).join(" ")]];
  if (typeof value !== "object" || value === null) return [[name, String(value)]];
  return Object.entries(value).flatMap(([inner, of]) => linesOf(`${name}.${inner}`, of));
}
