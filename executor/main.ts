/**
 * Builds the executor. The order here is the start order; closing is the reverse, and it never ends a pod.
 */
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { lockFolder } from "../common/instance-lock.ts";
import { createKeyedLock } from "../common/keyed-lock.ts";
import { type Lifecycle, runDaemon } from "../common/lifecycle.ts";
import { createLogger, type Logger } from "../common/logger.ts";
import { guessOwnAddress } from "../common/own-address.ts";
import { VERSION } from "../common/version.ts";
import type { HostFacts } from "../protocol/host.ts";
import type { Base } from "./base.ts";
import { startChallenges } from "./challenges/start.ts";
import { controlSocket, type ExecutorConfig, loadExecutorConfig } from "./config.ts";
import { faultHandlers } from "./control/faults.ts";
import { healthHandlers } from "./control/health.ts";
import { imageHandlers } from "./control/images.ts";
import { createControlServer } from "./control/server.ts";
import { stateHandlers, type StateParts } from "./control/state.ts";
import { strayHandlers } from "./control/strays.ts";
import { usageHandlers } from "./control/usage.ts";
import { volumeHandlers } from "./control/volumes.ts";
import { createDockerEnding } from "./docker/dockerode-ending.ts";
import { createDockerImages } from "./docker/dockerode-images.ts";
import { createDockerRuntime } from "./docker/dockerode-runtime.ts";
import { toEngineInfo } from "./docker/engine-info.ts";
import type { ContainerRuntime, EngineInfo } from "./docker/runtime.ts";
import type { GpuHealth } from "./gpus/health/engine.ts";
import { kernelLogOf, startHealth } from "./gpus/health/start.ts";
import { startCutting } from "./gpus/mig/start.ts";
import { offerGpus } from "./gpus/passthrough/offer.ts";
import { startPassthrough } from "./gpus/passthrough/start.ts";
import { startGpus } from "./gpus/start.ts";
import { ENGINE_WATCH, EngineWatch } from "./health/engine-watch.ts";
import { lookFor, watchProblems } from "./health/problems.ts";
import { CurrentFacts } from "./host/current-facts.ts";
import { readMachineFacts, rentableOf } from "./host/facts.ts";
import { keepClock } from "./host/kept-clock.ts";
import { linuxProcesses } from "./host/processes/linux-processes.ts";
import { type HostKeys, loadHostKeys } from "./identity.ts";
import { type ImageParts, startImages } from "./images/start.ts";
import type { Isolation } from "./isolation/isolation.ts";
import { makeIsolation } from "./isolation/start.ts";
import { startLink } from "./link/start.ts";
import type { Meter } from "./metering/meter.ts";
import { startMeter } from "./metering/start.ts";
import { openLedger } from "./pods/ledger.ts";
import type { Pods } from "./pods/reconcile.ts";
import { startPods } from "./pods/start.ts";
import { buildPodKit } from "./ssh/pod-kit.ts";
import { mountOver, parseMounts } from "./storage/mounts.ts";
import { type RootQuota, rootQuota } from "./storage/quota.ts";
import { startStorage, type StorageParts } from "./storage/start.ts";
import { makeStrays } from "./strays/start.ts";
import type { Strays } from "./strays/strays.ts";

const CLOSE_DEADLINE_MS = 10_000;
const ENGINE_WAIT_MS = 3_000;

/** Runs until a signal asks for the end. Throws an AppError when the start fails. */
export async function serveExecutor(options: { readonly configPath: string }): Promise<void> {
  const config = await loadExecutorConfig(options.configPath);
  const log = createLogger({ name: "executor", level: config.logLevel });
  await runDaemon({ log, deadlineMs: CLOSE_DEADLINE_MS }, (life) => start(config, log, life));
}

async function start(config: ExecutorConfig, log: Logger, life: Lifecycle): Promise<void> {
  const base = await startBase(config, log, life);
  const kit = await buildPodKit({ stateDir: config.stateDir, signal: life.signal });
  const isolation = await makeIsolation(base, kit);
  const images = await startImageParts(base);
  const { volumes, backups } = await startStorage(base);
  const metering = startMeter({ ...base, config: config.metering, stateDir: config.stateDir });
  life.add("meter", () => metering.close());
  const { meter } = metering;
  watch(base, { isolation, images, meter });
  const started: { pods?: Pods } = {};
  const health = await startHealth(base, () => started.pods?.known());
  const sicknessOf = health.sicknessOf.bind(health);
  const pods = await startPods(base, { kit, images, isolation, volumes, meter, sicknessOf });
  started.pods = pods;
  await startCutting(base, pods);
  const strays = await startStrays(base, pods);
  const { engineVersion, gpus } = base.facts.value;
  log.info("pods adopted", { pods: pods.reports().length, gpus: gpus.length, engineVersion });

  const challenges = startChallenges(base, { pods, kit, isolation });
  const link = await startLink(base, pods, { health, challenges });
  await startControl({ ...base, pods, link, strays, images, volumes, backups, meter, health });
}

async function startBase(config: ExecutorConfig, log: Logger, life: Lifecycle): Promise<Base> {
  await mkdir(config.stateDir, { recursive: true, mode: 0o700 });
  life.add("lock", await lockFolder(config.stateDir));
  const ledger = openLedger(join(config.stateDir, "ledger.db"));
  life.add("ledger", () => ledger.close());
  const { salvage, migrated } = ledger.opening;
  if (salvage !== undefined) log.error("the ledger was damaged; what could be read was kept", { ...salvage });
  if (migrated !== undefined) log.info("the ledger was brought to this version", { ...migrated });
  const bootId = await readBootId();
  const clock = keepClock({ ledger, bootId, log, life });
  const keys = await loadHostKeys(config.stateDir);
  const runtime = createDockerRuntime({ socketPath: config.docker.socketPath });
  const engineInfo = await askEngine(runtime, log);
  const quota = await readQuota(engineInfo);
  if ("unavailable" in quota) log.warn("a pod's own disk cannot be limited", { why: quota.unavailable });
  const shared = !("unavailable" in quota) || config.storage.shareWithoutQuota;
  const gpus = await startGpus({ config, keys, clock, log, random: Math.random, life });
  const facts = new CurrentFacts({ ...(await readFacts(config, keys, engineInfo)), gpus: [], shared });
  const passthrough = await startPassthrough({ config, runtime, gpus, clock, log, life });
  offerGpus({ passthrough, gpus, facts, clock });
  const engine = new EngineWatch(ENGINE_WATCH, { clock, log, ping: (signal) => runtime.ping(signal) });
  engine.onChange(() => {
    if (engine.answering) facts.clear("engine-unavailable");
    else facts.raise("engine-unavailable", "The container engine does not answer; pods are unknown.", clock.now());
  });
  life.add("engine-watch", () => engine.close());
  engine.start();
  return {
    config,
    log,
    life,
    bootId,
    clock,
    random: Math.random,
    keys,
    runtime,
    engineInfo,
    engine,
    quota,
    ledger,
    admissions: createKeyedLock(),
    gpus,
    passthrough,
    facts,
  };
}

async function startImageParts(base: Base): Promise<ImageParts> {
  const { config, clock, ledger, engineInfo, life } = base;
  const images = await startImages({
    ...base,
    config: config.images,
    stateDir: config.stateDir,
    engineRootDir: engineInfo.rootDir,
    wanted: () => ledger.readAll().entries.flatMap(({ record }) => (record.overAt ? [] : [record.wanted.spec.image])),
    store: createDockerImages({ socketPath: config.docker.socketPath, clock }),
  });
  life.add("images", () => images.close());
  return images;
}

interface Watched {
  readonly isolation: Isolation;
  readonly images: ImageParts;
  readonly meter: Meter;
}

/** What keeps the whole host from taking pods. */
function watch(base: Base, { isolation, images, meter }: Watched): void {
  const looks = [
    lookFor("isolation-unavailable", (signal) => isolation.check(signal)),
    {
      code: "disk-low" as const,
      look: async () => (meter.isFailing ? "Usage cannot be stored." : images.collector.pressure()?.message),
    },
  ];
  const watching = watchProblems(looks, base, base.life.signal);
  base.life.add("problems", () => watching.done);
}

async function startStrays(base: Base, pods: Pods): Promise<Strays> {
  const { config, keys, life } = base;
  const { socketPath } = config.docker;
  const strays = makeStrays({
    ...base,
    ...config,
    config: config.strays,
    socketPath,
    host: keys.identity.publicKey,
    graceSeconds: config.pods.stopGraceSeconds,
    engine: createDockerEnding({ socketPath }),
    processes: linuxProcesses(),
    known: () => pods.known(),
  });
  life.add("strays", () => strays.close());
  await strays.start();
  return strays;
}

interface Controlled extends StorageParts {
  readonly strays: Strays;
  readonly images: ImageParts;
  readonly meter: Meter;
  readonly health: GpuHealth;
}
type ControlParts = Base & StateParts & Controlled;

async function startControl(parts: ControlParts): Promise<void> {
  const { config, log, clock, life, strays, images } = parts;
  const handlers = {
    ...stateHandlers(parts),
    ...strayHandlers(strays),
    ...imageHandlers({ ...images, config: config.images }),
    ...volumeHandlers(parts),
    ...usageHandlers(parts.meter),
    ...healthHandlers(parts.health),
    ...faultHandlers({ gpus: parts.gpus, kernelLog: kernelLogOf(config) }),
  };
  const server = await createControlServer({ handlers, log, clock });
  life.add("control", () => server.close());
  await server.listen({ socketPath: controlSocket(config) });
}

async function readFacts(
  config: ExecutorConfig,
  keys: HostKeys,
  engine: EngineInfo,
): Promise<Omit<HostFacts, "gpus" | "gpuLinks" | "shared">> {
  const machine = await readMachineFacts(engine.rootDir);
  return {
    ...machine.facts,
    engineVersion: engine.version,
    executorVersion: VERSION,
    publicAddress: config.network.publicAddress ?? guessOwnAddress(),
    sealingKey: keys.sealing.publicKey,
    rentable: rentableOf(machine, config.reserve),
    problems: [],
  };
}

async function readQuota({ storage }: EngineInfo): Promise<RootQuota> {
  const mounts = parseMounts(await readFile("/proc/self/mountinfo", "utf8"));
  return rootQuota(storage, mountOver(storage.rootDir, mounts)?.options ?? []);
}

/** The engine may come up after us; what it says of itself is not worth waiting long for. */
async function askEngine(runtime: ContainerRuntime, log: Logger): Promise<EngineInfo> {
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
