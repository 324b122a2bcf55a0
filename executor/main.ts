/**
 * Builds the executor. The order here is the start order; closing is the reverse, and it never ends a pod.
 */
import { mkdir, readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";

import { type Clock, systemClock } from "../common/clock.ts";
import { lockFolder } from "../common/instance-lock.ts";
import { createKeyedLock } from "../common/keyed-lock.ts";
import { type Lifecycle, runDaemon } from "../common/lifecycle.ts";
import { createLogger, type Logger } from "../common/logger.ts";
import { guessOwnAddress } from "../common/own-address.ts";
import { JUMP_POLICY, steadyClock } from "../common/steady-clock.ts";
import { VERSION } from "../common/version.ts";
import type { HostFacts } from "../protocol/host.ts";
import { controlSocket, type ExecutorConfig, loadExecutorConfig, portRanges } from "./config.ts";
import { createControlServer } from "./control/server.ts";
import { stateHandlers, type StateParts } from "./control/state.ts";
import { createDockerEnding } from "./docker/dockerode-ending.ts";
import { createDockerRuntime } from "./docker/dockerode-runtime.ts";
import { toEngineInfo } from "./docker/engine-info.ts";
import type { ContainerRuntime, EngineInfo } from "./docker/runtime.ts";
import { simulatedGpus } from "./gpus/simulated.ts";
import { ENGINE_WATCH, EngineWatch } from "./health/engine-watch.ts";
import { CurrentFacts } from "./host/current-facts.ts";
import { readMachineFacts, rentableOf } from "./host/facts.ts";
import { isPortFree } from "./host/free-port.ts";
import { linuxProcesses } from "./host/processes/linux-processes.ts";
import { type HostKeys, loadHostKeys } from "./identity.ts";
import { LinkClient } from "./link/client.ts";
import { loadMembership, saveMembership } from "./link/membership.ts";
import { type Ledger, openLedger } from "./pods/ledger.ts";
import { Pods } from "./pods/reconcile.ts";
import { buildPodKit, type PodKit } from "./ssh/pod-kit.ts";

const CLOSE_DEADLINE_MS = 10_000;
const ENGINE_WAIT_MS = 3_000;

/** Runs until a signal asks for the end. Throws an AppError when the start fails. */
export async function serveExecutor(options: { readonly configPath: string }): Promise<void> {
  const config = await loadExecutorConfig(options.configPath);
  const log = createLogger({ name: "executor", level: config.logLevel });
  await runDaemon({ log, deadlineMs: CLOSE_DEADLINE_MS }, (life) => start(config, log, life));
}

/** What every part is made with. */
interface Base {
  readonly config: ExecutorConfig;
  readonly log: Logger;
  readonly life: Lifecycle;
  readonly clock: Clock;
  readonly random: () => number;
  readonly keys: HostKeys;
  readonly runtime: ContainerRuntime;
  readonly ledger: Ledger;
  readonly facts: CurrentFacts;
}

async function start(config: ExecutorConfig, log: Logger, life: Lifecycle): Promise<void> {
  await mkdir(config.stateDir, { recursive: true, mode: 0o700 });
  life.add("lock", await lockFolder(config.stateDir));
  const clock = steadyClock(systemClock(), JUMP_POLICY, (byMs) => {
    log.error("this machine's clock jumped; leases go on as if it had not, for a quarter of an hour", { byMs });
  });
  const keys = await loadHostKeys(config.stateDir);
  const runtime = createDockerRuntime({ socketPath: config.docker.socketPath });
  const facts = new CurrentFacts(await readFacts(config, keys, await engineInfo(runtime, log)));
  const kit = await buildPodKit({ stateDir: config.stateDir, signal: life.signal });

  const ledger = openLedger(join(config.stateDir, "ledger.db"));
  life.add("ledger", () => ledger.close());

  const base = { config, log, life, clock, random: Math.random, keys, runtime, ledger, facts };
  const engine = watchEngine(base);
  const pods = await startPods({ ...base, engine }, kit);
  const { engineVersion, gpus } = facts.value;
  log.info("pods adopted", { pods: pods.reports().length, gpus: gpus.length, engineVersion });

  const link = await startLink(base, pods);
  await startControl({ ...base, engine, pods, link });
}

function watchEngine({ life, clock, log, runtime, facts }: Base): EngineWatch {
  const engine = new EngineWatch(ENGINE_WATCH, { clock, log, ping: (signal) => runtime.ping(signal) });
  engine.onChange(() => {
    if (engine.answering) facts.clear("engine-unavailable");
    else facts.raise("engine-unavailable", "The container engine does not answer; pods are unknown.", clock.now());
  });
  life.add("engine-watch", () => engine.close());
  engine.start();
  return engine;
}

async function startControl(parts: Base & StateParts): Promise<void> {
  const { config, log, clock, life } = parts;
  const server = await createControlServer({ handlers: stateHandlers(parts), log, clock });
  life.add("control", () => server.close());
  await server.listen({ socketPath: controlSocket(config) });
}

async function readFacts(config: ExecutorConfig, keys: HostKeys, engine: EngineInfo): Promise<HostFacts> {
  const machine = await readMachineFacts(engine.rootDir);
  return {
    ...machine.facts,
    engineVersion: engine.version,
    executorVersion: VERSION,
    publicAddress: config.network.publicAddress ?? guessOwnAddress(),
    sealingKey: keys.sealing.publicKey,
    rentable: rentableOf(machine, config.reserve),
    gpus: [...simulatedGpus(config.gpus.simulate, keys.identity.publicKey).list()],
    shared: true,
    problems: [],
  };
}

async function startPods(base: Base & { readonly engine: EngineWatch }, kit: PodKit): Promise<Pods> {
  const { config, facts, keys, life } = base;
  const { bindAddress } = config.network;
  const secretsDir = join(config.runDir, "secrets");
  await mkdir(secretsDir, { recursive: true, mode: 0o700 });
  const pods = new Pods(
    {
      ranges: portRanges(config),
      publicAddress: facts.value.publicAddress,
      resyncMs: config.pods.resyncSeconds * 1000,
      pace: {
        probeEveryMs: config.pods.probeEverySeconds * 1000,
        restart: {
          firstDelayMs: config.pods.restartFirstSeconds * 1000,
          maxDelayMs: config.pods.restartLongestSeconds * 1000,
        },
      },
    },
    {
      ...base,
      sealingKey: keys.sealing,
      dirsOf: ({ wanted: { podId } }) => ({
        kitDir: kit.dir,
        podDir: join(config.stateDir, "pods", podId),
        secretDir: join(secretsDir, podId),
      }),
      ending: {
        engine: createDockerEnding({ socketPath: config.docker.socketPath }),
        processes: linuxProcesses(),
        clock: base.clock,
      },
      bindAddress,
      host: keys.identity.publicKey,
      probeAddress: bindAddress === "0.0.0.0" ? "127.0.0.1" : bindAddress,
      limits: {
        pullInactivityMs: config.pods.pullInactivitySeconds * 1000,
        probeMs: config.pods.probeSeconds * 1000,
        stopGraceSeconds: config.pods.stopGraceSeconds,
      },
      admissions: createKeyedLock(),
      gpus: () => facts.value.gpus,
      rentable: () => facts.value.rentable,
      isPortFree: (port, protocol) => isPortFree(port, protocol, bindAddress),
      bootId: await readBootId(),
    },
  );
  life.add("pods", () => pods.close());
  await pods.start();
  return pods;
}

async function startLink(
  { config, keys, ledger, facts, clock, random, log, life }: Base,
  pods: Pods,
): Promise<LinkClient | undefined> {
  const membership = await loadMembership(config.stateDir);
  if (membership === undefined) {
    log.warn("this host has not joined an agent: run `lium-executor join TOKEN`");
    return undefined;
  }
  const { url, fingerprint } = membership;
  const link = new LinkClient(
    { reconnect: { firstDelayMs: 250, maxDelayMs: 10_000 } },
    {
      membership,
      name: config.name ?? hostname(),
      identity: keys.identity,
      pods,
      events: ledger,
      facts,
      clock,
      random,
      log,
      onWelcome: () => saveMembership(config.stateDir, { url, fingerprint }),
    },
  );
  life.add("link", () => link.close());
  link.start();
  return link;
}

/** The engine may come up after us; what it says of itself is not worth waiting long for. */
async function engineInfo(runtime: ContainerRuntime, log: Logger): Promise<EngineInfo> {
  try {
    return await runtime.info(AbortSignal.timeout(ENGINE_WAIT_MS));
  } catch (error) {
    log.warn("the container engine does not answer yet", { error });
    return toEngineInfo({ ServerVersion: "unavailable" });
  }
}

async function readBootId(): Promise<string> {
  return (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
}
