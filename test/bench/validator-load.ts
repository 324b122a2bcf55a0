/**
 * How many signed requests for capacity an agent answers on one core, by who signed them, and how long a validator waits while
 * somebody floods the agent with requests that are refused. The agent is a process of its own with hosts that say what they
 * have, on one core; who sends is another, on the others, with requests that were signed beforehand.
 */
import { fork, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { appendFile, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { availableParallelism, setPriority, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { devHotkey, initHotkeys } from "../../common/hotkey.ts";
import { gpu, hostFacts } from "../support/agent-builders.ts";
import { AgentProcess, type Listeners } from "../support/agent-process.ts";
import { dialOptionsOf, FakeExecutor } from "../support/fake-executor.ts";
import { Connection } from "../support/load/connection.ts";
import { type Kind, Requests } from "../support/load/requests.ts";
import type { SenderOrder, SenderReport } from "../support/load/sender.ts";
import { percentiles } from "./percentiles.ts";

const CORES = availableParallelism();
const HOSTS = 8;
const GPUS_OF_HOST = 8;
const SECONDS = 4;
const WARM_UP_SECONDS = 2;
const CONNECTIONS = 32;
const FLOOD = { perSecond: 5_000, seconds: 15, connections: 64, from: "127.0.0.2" };
const PRIORITY = -10;
const FLOOD_KINDS: readonly Kind[] = ["forged", "unknown", "stale", "unsigned"];
/** What the default limits let one validator send. */
const CALM_EVERY_MS = 60;
const CALM_SAMPLES = 100;
const VALIDATOR = "//Alice";
const SENDER = fileURLToPath(new URL("../support/load/sender.ts", import.meta.url));
const UNLIMITED = {
  LIUM_AGENT_VALIDATOR_RATE_LIMIT_PER_MINUTE: "10000000",
  LIUM_AGENT_VALIDATOR_HOTKEY_RATE_LIMIT_PER_MINUTE: "10000000",
};

interface Scene {
  readonly pid: number;
  readonly port: number;
  readonly receiver: string;
}

export async function measureValidatorLoad() {
  await initHotkeys();
  const throughput = await withAgent(UNLIMITED, measureThroughput);
  const flood = await withAgent({}, measureFlood);
  return { cores: CORES, hosts: HOSTS, gpus: HOSTS * GPUS_OF_HOST, ...throughput, ...flood };
}

async function measureThroughput(scene: Scene) {
  await load(scene, { kinds: ["valid"], seconds: WARM_UP_SECONDS });
  const valid = await load(scene, { kinds: ["valid"], seconds: SECONDS });
  const invalid = await load(scene, { kinds: ["forged"], seconds: SECONDS });
  const unknown = await load(scene, { kinds: ["unknown"], seconds: SECONDS });
  return {
    verifiedPerSecond: answered(valid, 200),
    verifiedPerCpuSecond: perCpuSecond(valid, 200),
    invalidPerSecond: answered(invalid, 401),
    unknownPerSecond: answered(unknown, 403),
  };
}

async function measureFlood(scene: Scene) {
  const calm = await askRegularly(scene, CALM_SAMPLES);
  const samples = Math.floor(((FLOOD.seconds - 2) * 1000) / CALM_EVERY_MS);
  const order = { kinds: FLOOD_KINDS, ...FLOOD, localAddress: FLOOD.from };
  const [flood, during] = await Promise.all([
    load(scene, order),
    sleep(1_000).then(() => askRegularly(scene, samples)),
  ]);
  return {
    calmValidP50Ms: calm.p50Ms,
    calmValidP99Ms: calm.p99Ms,
    floodValidP50Ms: during.p50Ms,
    floodValidP99Ms: during.p99Ms,
    floodPerSecond: Math.round((flood.sent / flood.tookMs) * 1000),
    floodAnswers: flood.answers,
    floodCorePercent: Math.round((flood.cpuMs / flood.tookMs) * 100),
  };
}

type Load = SenderReport & { readonly cpuMs: number };

async function load(
  { pid, port, receiver }: Scene,
  order: Pick<SenderOrder, "kinds" | "seconds"> & Partial<SenderOrder>,
): Promise<Load> {
  const child = fork(SENDER, { execArgv: [] });
  pin(child.pid, otherCores());
  const whole = { port, localAddress: "127.0.0.1", receiver, known: VALIDATOR, connections: CONNECTIONS, ...order };
  child.send(whole satisfies SenderOrder);
  await once(child, "message");
  const before = await cpuMsOf(pid);
  const [report]: SenderReport[] = await once(child, "message");
  if (report === undefined) throw new Error("The sender reported nothing.");
  return { ...report, cpuMs: (await cpuMsOf(pid)) - before };
}

function answered({ answers, tookMs }: Load, status: number): number {
  return Math.round(((answers[status] ?? 0) / tookMs) * 1000);
}

function perCpuSecond({ answers, cpuMs }: Load, status: number): number {
  return Math.round(((answers[status] ?? 0) / cpuMs) * 1000);
}

/** A validator who asks, waits for the answer, and asks again after a while. */
async function askRegularly({ port, receiver }: Scene, samples: number) {
  const requests = new Requests({ receiver, known: devHotkey(VALIDATOR), unknown: devHotkey("//Mallory") });
  let answer = Promise.withResolvers<number>();
  const connection = await Connection.open({ port, localAddress: "127.0.0.1" }, (status) => answer.resolve(status));
  const times: number[] = [];
  while (times.length < samples) {
    answer = Promise.withResolvers();
    const request = requests.make("valid");
    const began = performance.now();
    connection.send(request);
    const status = await answer.promise;
    const tookMs = performance.now() - began;
    if (status !== 200) throw new Error(`The validator was answered with ${status}.`);
    times.push(tookMs);
    await sleep(Math.max(0, CALM_EVERY_MS - tookMs));
  }
  connection.close();
  return percentiles(times);
}

async function withAgent<T>(env: NodeJS.ProcessEnv, work: (scene: Scene) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), "lium-load-"));
  const agent = await AgentProcess.init(dir, env);
  await appendFile(agent.configPath, `\n[[validator.allow]]\nhotkey = "${devHotkey(VALIDATOR).ss58}"\n`);
  const hosts: FakeExecutor[] = [];
  try {
    const listeners = await agent.start();
    const operator = agent.operator(listeners);
    for (let host = 0; host < HOSTS; host += 1) hosts.push(await joinHost(await operator.invite({ body: {} }), host));
    const { hotkey: receiver } = await operator.status({});
    await operator.close();
    pin(agent.pid, "0");
    pin(process.pid, otherCores());
    return await work({ pid: agent.pid ?? 0, port: portOf(listeners), receiver });
  } finally {
    pin(process.pid, allCores());
    for (const tid of readdirSync("/proc/self/task")) setPriority(Number(tid), 0);
    for (const host of hosts) host.vanish();
    await agent.end("SIGTERM");
    await rm(dir, { recursive: true, force: true });
  }
}

function joinHost({ token }: { readonly token: string }, host: number): Promise<FakeExecutor> {
  const gpus = Array.from({ length: GPUS_OF_HOST }, (_, n) => gpu(host * GPUS_OF_HOST + n + 1));
  return FakeExecutor.start(dialOptionsOf(token), hostFacts({ gpus }));
}

function portOf({ validatorUrl }: Listeners): number {
  return Number(new URL(validatorUrl).port);
}

/**
 * All threads of the process onto these cores, before whatever else runs on this machine; where there is only one core there is
 * nothing to choose.
 */
function pin(pid: number | undefined, cores: string): void {
  if (pid === undefined) return;
  if (CORES > 1) spawnSync("taskset", ["-acp", cores, String(pid)]);
  for (const tid of readdirSync(`/proc/${pid}/task`)) raise(Number(tid));
}

/** Only root may. */
function raise(tid: number): void {
  if (process.getuid?.() === 0) setPriority(tid, PRIORITY);
}

function otherCores(): string {
  return `1-${CORES - 1}`;
}

function allCores(): string {
  return `0-${CORES - 1}`;
}

/** Of all threads that live, to the nanosecond. */
async function cpuMsOf(pid: number): Promise<number> {
  const threads = await readdir(`/proc/${pid}/task`);
  const stats = await Promise.all(threads.map((tid) => readFile(`/proc/${pid}/task/${tid}/schedstat`, "utf8")));
  return stats.reduce((sum, stat) => sum + Number(stat.split(" ")[0]), 0) / 1e6;
}
