/**
 * An agent and an executor on this machine, as two processes over one state folder: for the demo, the end-to-end tests
 * and the benchmarks. Everything goes through the same commands that a provider would type.
 */
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";

import { z } from "zod";

import { writeFileAtomic } from "../common/atomic-file.ts";
import { exec } from "../common/exec.ts";
import { AppError } from "../protocol/errors.ts";
import { Invitation } from "../protocol/operator-api.ts";
import { type Daemon, daemonOf } from "./daemon.ts";

const ROOT = join(import.meta.dirname, "..");
const AGENT_CLI = join(ROOT, "agent/cli/main.ts");
const EXECUTOR_CLI = join(ROOT, "executor/cli/main.ts");
const SOURCES = { agent: [process.execPath, AGENT_CLI], executor: [process.execPath, EXECUTOR_CLI] };
/** The daemons as they are released: without the memory and time that it takes to strip types. */
const LAUNCH = join(ROOT, "common/cli/launch.sh");
const BUILT = { agent: [LAUNCH, "lium-agent"], executor: [LAUNCH, "lium-executor"] };
const LOOPBACK = "127.0.0.1";
const COMMAND_DEADLINE_MS = 60_000;
const START_DEADLINE_MS = 60_000;
const POLL_MS = 25;

export interface StackOptions {
  readonly stateDir: string;
  /** Simulated GPUs, as in `2xH100`. */
  readonly simulate: string;
  /** Host ports for pods: the first, and how many. */
  readonly ports: { readonly first: number; readonly count: number };
  /** Run the daemons from dist/, which `npm run build` makes, and not from the sources. */
  readonly built?: boolean;
  /** Where the executor runs when that is not beside us. */
  readonly host?: HostPlace;
  readonly signal: AbortSignal;
}

/** A host with a network and a view of the files of its own. LIUM_EXECUTOR_ variables say the rest. */
export interface HostPlace {
  /** Goes before every command of the executor; asked for each, since a reboot changes it. */
  readonly enter: () => readonly string[];
  /** How the host reaches the agent. */
  readonly agentAddress: string;
  /** How renters reach the host. */
  readonly hostAddress: string;
}

export interface Stack {
  readonly validatorUrl: string;
  /** The hotkey file of a development validator that the agent serves. */
  readonly validatorKeyFile: string;
  readonly agentSocket: string;
  readonly executorDir: string;
  readonly agentDir: string;
  readonly agent: Daemon;
  readonly executor: Daemon;
  /** `lium-agent ARGS --json` as its user would type it, parsed. */
  agentCommand(args: readonly string[]): Promise<unknown>;
  /** The same as the development validator. */
  asValidator(args: readonly string[]): Promise<unknown>;
  /** Resolves when the host is connected to the agent. */
  untilConnected(): Promise<void>;
  /** Ends both daemons; pods stay. */
  stop(): Promise<void>;
}

/** The packages that the executor builds its pod kit from. */
export async function kitPackages(signal: AbortSignal): Promise<string[]> {
  const answer = await runJson([EXECUTOR_CLI, "kit", "packages", "--json"], signal);
  return z.object({ packages: z.array(z.string()) }).parse(answer).packages;
}

/** Sets up what is missing in the state folder, starts both daemons and waits until the host is connected. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { stateDir, signal } = options;
  const programs = options.built === true ? BUILT : SOURCES;
  const agentDir = join(stateDir, "agent");
  const executorDir = join(stateDir, "executor");
  const agentSocket = join(agentDir, "agent.sock");
  const validatorKeyFile = join(stateDir, "validator-hotkey.json");
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const { enter = () => [], agentAddress = LOOPBACK } = options.host ?? {};
  await setUpAgent({ agentDir, agentAddress, validatorKeyFile, signal });
  await writeExecutorConfig(options, executorDir);

  const listeners = join(agentDir, "listeners.json");
  const agent = daemonOf({
    command: () => programs.agent,
    configPath: join(agentDir, "agent.toml"),
    logPath: join(agentDir, "agent.log"),
    // A killed agent leaves this file behind.
    prepare: () => rm(listeners, { force: true }),
    ready: async () => (await readFile(listeners, "utf8").catch(() => "")) !== "",
    signal,
  });
  const executor = daemonOf({
    command: () => [...enter(), ...programs.executor],
    configPath: join(executorDir, "executor.toml"),
    logPath: join(executorDir, "executor.log"),
    signal,
  });
  const agentCommand = (args: readonly string[]): Promise<unknown> =>
    runJson([AGENT_CLI, ...args, "--json", "--socket", agentSocket], signal);

  await agent.start();
  const { validatorUrl } = z.object({ validatorUrl: z.string() }).parse(JSON.parse(await readFile(listeners, "utf8")));
  if ((await readFile(join(executorDir, "agent.json"), "utf8").catch(() => "")) === "") {
    const { token } = Invitation.parse(await agentCommand(["invite"]));
    const joining = ["join", token, "--json", "--config", join(executorDir, "executor.toml")];
    await runJson([EXECUTOR_CLI, ...joining], signal, enter());
  }
  await executor.start();

  const untilConnected = (): Promise<void> => untilHostConnected(agentCommand, signal);
  await untilConnected();
  return {
    validatorUrl,
    validatorKeyFile,
    agentSocket,
    agentDir,
    executorDir,
    agent,
    executor,
    agentCommand,
    asValidator: (args) => {
      const options = args.findIndex((arg) => arg.startsWith("-"));
      const words = options < 0 ? args.length : options;
      const caller = ["--url", validatorUrl, "--hotkey-file", validatorKeyFile, "--json"];
      return runJson([AGENT_CLI, "as-validator", ...args.slice(0, words), ...caller, ...args.slice(words)], signal);
    },
    untilConnected,
    stop: async () => {
      await executor.stop();
      await agent.stop();
    },
  };
}

interface AgentSetUp {
  readonly agentDir: string;
  readonly agentAddress: string;
  readonly validatorKeyFile: string;
  readonly signal: AbortSignal;
}

/** Makes the agent's state and a validator's hotkey once, and lets that hotkey in. */
async function setUpAgent({ agentDir, agentAddress, validatorKeyFile, signal }: AgentSetUp): Promise<void> {
  const configPath = join(agentDir, "agent.toml");
  if ((await readFile(configPath, "utf8").catch(() => "")) !== "") return;
  await rm(validatorKeyFile, { force: true });
  const { createHotkeyFile } = await import("../common/hotkey.ts");
  const validator = await createHotkeyFile(validatorKeyFile);
  const init = [
    "init",
    "--config",
    configPath,
    "--state-dir",
    agentDir,
    "--network",
    "development",
    "--public-host",
    agentAddress,
  ];
  await runJson([AGENT_CLI, ...init, "--json"], signal);
  await writeFileAtomic(
    configPath,
    `${await readFile(configPath, "utf8")}
[[validator.allow]]
hotkey = "${validator.ss58}"
`,
    0o600,
  );
}

async function writeExecutorConfig(options: StackOptions, executorDir: string): Promise<void> {
  const { stateDir, simulate, ports, host } = options;
  const text = `name = "local"
stateDir = ${JSON.stringify(executorDir)}
runDir = ${JSON.stringify(join("/dev/shm", `lium-${Buffer.from(stateDir).toString("base64url").slice(-24)}`))}

[network]
publicAddress = "${host?.hostAddress ?? LOOPBACK}"
bindAddress = "${host === undefined ? LOOPBACK : "0.0.0.0"}"
ports = [{ internal = ${ports.first}, count = ${ports.count} }]

[gpus]
simulate = ${JSON.stringify(simulate)}

[challenges]
onProcessor = true

# The pods here are all one person's, whatever this machine's disk can limit.
[storage]
shareWithoutQuota = true
`;
  await mkdir(executorDir, { recursive: true, mode: 0o700 });
  await writeFileAtomic(join(executorDir, "executor.toml"), text, 0o600);
}

async function untilHostConnected(agentCommand: Stack["agentCommand"], signal: AbortSignal): Promise<void> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(START_DEADLINE_MS)]);
  while (!JSON.stringify(await agentCommand(["hosts", "list"])).includes('"connected":true')) {
    if (deadline.aborted)
      throw new AppError("host-unreachable", { message: "The executor did not reach the agent in time." });
    await pause();
  }
}

async function runJson(args: readonly string[], signal: AbortSignal, enter: readonly string[] = []): Promise<unknown> {
  const [file = "", ...rest] = [...enter, process.execPath, ...args];
  const { stdout } = await exec(file, rest, {
    signal,
    timeoutMs: COMMAND_DEADLINE_MS,
    cwd: ROOT,
    maxOutputBytes: 16 * 2 ** 20,
  });
  return JSON.parse(stdout);
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, POLL_MS));
}
