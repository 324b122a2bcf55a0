/**
 * The executor's pods over the fake engine, on real files: for tests of what the lanes do. `crash` throws the instance away
 * without closing it properly, as kill -9 would; `boot` makes the next one over the same ledger, files and engine.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { vi } from "vitest";

import { type Clock, systemClock } from "../../common/clock.ts";
import { createKeyedLock } from "../../common/keyed-lock.ts";
import { createLogger } from "../../common/logger.ts";
import { generateSealingKey } from "../../common/sealed-box.ts";
import type { GpuInventory } from "../../executor/gpus/inventory.ts";
import type { Passthrough } from "../../executor/gpus/passthrough/passthrough.ts";
import type { HostSetup } from "../../executor/gpus/passthrough/setup.ts";
import { simulatedGpus } from "../../executor/gpus/simulated.ts";
import { EngineWatch } from "../../executor/health/engine-watch.ts";
import type { Meter } from "../../executor/metering/meter.ts";
import { type Ledger, openLedger } from "../../executor/pods/ledger.ts";
import type { Pace } from "../../executor/pods/plan.ts";
import { Pods } from "../../executor/pods/reconcile.ts";
import type { Gpu } from "../../protocol/gpu.ts";
import type { PodId } from "../../protocol/ids.ts";
import type { PodEvent, PodPhase, PodSpecInput, PodStatus, Reason, WantedPod } from "../../protocol/pod.ts";
import { podSpec, wantedPod } from "./builders.ts";
import { FakeEnding } from "./fake-ending.ts";
import { FakeIsolation } from "./fake-isolation.ts";
import { FakeProcesses } from "./fake-processes.ts";
import { FakeRuntime } from "./fake-runtime.ts";
import { FakeVolumes } from "./fake-volumes.ts";
import { startedPassthrough } from "./gpus/giving.ts";

const GIB = 2 ** 30;
/** The one host port of the harness, where a stand-in for the pods' SSH server listens. */
const WAIT_MS = 5_000;

/** Minutes of the ladder pass in a second. */
const HURRY = 50;
const HURRIED: Clock = {
  ...systemClock(),
  monotonic: () => performance.now() * HURRY,
  sleep: (ms, signal) => systemClock().sleep(ms / HURRY, signal),
};

/** A lease from now on. */
export function leaseOf(ms: number, graceSeconds = 600): PodSpecInput["lease"] {
  return { expiresAt: new Date(Date.now() + ms).toISOString(), graceSeconds };
}

/** A wish whose lease has just begun. */
export function wish(over: Partial<WantedPod> = {}, spec: Partial<PodSpecInput> = {}): WantedPod {
  return wantedPod({ spec: podSpec({ lease: leaseOf(3_600_000), ...spec }), ...over });
}

export class PodsHarness {
  readonly dir = mkdtempSync(join(tmpdir(), "lium-pods-"));
  readonly runtime = new FakeRuntime();
  readonly ending = new FakeEnding(this.runtime);
  readonly processes = new FakeProcesses();
  readonly isolation = new FakeIsolation();
  readonly volumes = new FakeVolumes();
  meter: Pick<Meter, "observe"> = { observe: () => undefined };
  readonly sealingKey = generateSealingKey();
  /** What accelerators the host has. */
  inventory: Pick<GpuInventory, "list" | "snapshot" | "onChange"> = simulatedGpus("4xH100", "harness");
  /** How it hands them to pods; asked for only where one is real. */
  setup: HostSetup | undefined;
  readonly events: PodEvent[] = [];
  readonly logged: string[] = [];
  readonly log = createLogger({ name: "test", level: "debug", output: { write: (line) => this.logged.push(line) } });
  bootId = "boot-1";
  /** Whether the host takes several pods at once. */
  shared = true;
  /** Why the host takes no pod. */
  pressure: Reason | undefined;
  readonly hostKey = "the harness's key";
  /** So long that only a test about it ever sees one. */
  resyncMs = 3_600_000;
  /** SSH is looked at rarely, and what ends is started again late: only tests about it make this shorter. */
  pace: Pace = { probeEveryMs: 3_600_000, restart: { firstDelayMs: 3_600_000, maxDelayMs: 3_600_000 } };
  #sshUp = true;
  #probes = 0;
  #probesToFail = 0;
  readonly #servers: { close(): void }[] = [];
  #ledger: Ledger | undefined;
  #pods: Pods | undefined;
  #passthrough: Passthrough | undefined;
  #engine: EngineWatch | undefined;
  #ports = { internal: 0, external: 0, count: 0 };
  #changed = Promise.withResolvers<void>();

  get pods(): Pods {
    if (this.#pods === undefined) throw new Error("boot first");
    return this.#pods;
  }

  /** Whether the stand-in for SSH answers with a banner. */
  set sshUp(up: boolean) {
    this.#sshUp = up;
  }

  /** The next probes find nobody. */
  failProbes(count: number): void {
    this.#probesToFail = count;
  }

  /** Resolves when SSH was tried so often from now on. */
  async untilProbes(count: number): Promise<void> {
    const goal = this.#probes + count;
    await vi.waitUntil(() => this.#probes >= goal, { timeout: WAIT_MS, interval: 5 });
  }

  /** What the host offers. */
  get gpus(): readonly Gpu[] {
    return this.inventory.list();
  }

  get passthrough(): Passthrough {
    if (this.#passthrough === undefined) throw new Error("boot first");
    return this.#passthrough;
  }

  async boot(): Promise<Pods> {
    if (this.#ports.count === 0) await this.#listen(24);
    this.#ledger = openLedger(join(this.dir, "ledger.db"));
    this.#passthrough = await startedPassthrough(this.inventory, () => this.setup, this.log);
    const pods = new Pods(
      { ranges: [this.#ports], publicAddress: "203.0.113.1", resyncMs: this.resyncMs, pace: this.pace },
      {
        engine: this.#watch(),
        runtime: this.runtime,
        passthrough: this.#passthrough,
        sicknessOf: () => undefined,
        ledger: this.#ledger,
        clock: systemClock(),
        log: this.log,
        random: Math.random,
        sealingKey: this.sealingKey,
        dirsOf: ({ wanted: { podId } }) => ({
          kitDir: "/kit",
          podDir: join(this.dir, "pods", podId),
          secretDir: join(this.dir, "secrets", podId),
        }),
        images: this.runtime.imagesPort,
        isolation: this.isolation,
        volumes: this.volumes.port,
        volumeBytes: () => this.volumes.bytesNeeded,
        meter: this.meter,
        pressure: () => this.pressure,
        shared: () => this.shared,
        quota: { enforce: "storage-opt", countsImage: false },
        ending: { engine: this.ending, processes: this.processes, clock: HURRIED },
        bindAddress: "127.0.0.1",
        host: this.hostKey,
        probeAddress: "127.0.0.1",
        limits: { probeMs: 150, stopGraceSeconds: 1 },
        admissions: createKeyedLock(),
        gpus: () => this.gpus,
        rentable: () => ({ cpus: 64, memoryBytes: 64 * GIB, diskBytes: 1_000 * GIB }),
        // The stand-ins listen on every port of the range; to the pods they count as free.
        isPortFree: async (port) => !this.runtime.busyPorts.has(String(port)),
        bootId: this.bootId,
      },
    );
    this.#pods = pods;
    pods.onStatus((_report, events) => {
      this.events.push(...events);
      this.#changed.resolve();
      this.#changed = Promise.withResolvers();
    });
    await pods.start();
    return pods;
  }

  /** Asks as quickly as the engine answers. */
  get engine(): EngineWatch {
    if (this.#engine === undefined) throw new Error("boot first");
    return this.#engine;
  }

  #watch(): EngineWatch {
    const deps = { ping: () => this.runtime.ping(), clock: systemClock(), log: this.log };
    this.#engine = new EngineWatch({ everyMs: 3_600_000, deadlineMs: 1_000 }, deps);
    return this.#engine;
  }

  /** Nothing more is written; what the engine was asked for, it still does. */
  crash(): void {
    this.#ledger?.close();
    for (const part of [this.#engine, this.#pods, this.#passthrough]) void part?.close().catch(() => undefined);
    this.#pods = undefined;
    this.#ledger = undefined;
  }

  get ledger(): Ledger {
    if (this.#ledger === undefined) throw new Error("boot first");
    return this.#ledger;
  }

  async close(): Promise<void> {
    await this.#engine?.close();
    await this.#pods?.close();
    await this.#passthrough?.close();
    this.#ledger?.close();
    this.#ledger = undefined;
    this.#pods = undefined;
  }

  async dispose(): Promise<void> {
    await this.close();
    for (const server of this.#servers) server.close();
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** How often the engine was asked for a verb. */
  callsOf(verb: string): number {
    return this.runtime.calls.filter((call) => call.startsWith(`${verb} `)).length;
  }

  status(podId: PodId): PodStatus | undefined {
    return this.pods.reports().find(({ status }) => status.podId === podId)?.status;
  }

  async untilPhase(podId: PodId, ...phases: readonly PodPhase[]): Promise<PodStatus> {
    return this.until(
      () => {
        const status = this.status(podId);
        return status !== undefined && phases.includes(status.phase) ? status : undefined;
      },
      `${podId} to be ${phases.join(" or ")}`,
    );
  }

  /** The newest event with this code, as soon as there is one. */
  async untilEvent(code: string): Promise<PodEvent> {
    return this.until(() => this.events.findLast((event) => event.code === code), `the event ${code}`);
  }

  /** Waits for a value after each status change. */
  async until<T>(read: () => T | undefined, what: string): Promise<T> {
    const deadline = AbortSignal.timeout(WAIT_MS);
    for (;;) {
      const value = read();
      if (value !== undefined) return value;
      const timeUp = Promise.withResolvers<void>();
      deadline.addEventListener("abort", () => timeUp.resolve(), { once: true });
      if (deadline.aborted)
        throw new Error(
          `waited in vain for ${what}; it is ${JSON.stringify(this.pods.reports().map((r) => r.status))}`,
        );
      await Promise.race([this.#changed.promise, timeUp.promise]);
    }
  }

  /** A run of neighbouring ports, on each of which something answers like an SSH server. */
  async #listen(count: number): Promise<void> {
    for (let attempt = 0; attempt < 50; attempt += 1) {
      const internal = 20_000 + Math.floor(Math.random() * 10_000);
      const servers = await Promise.allSettled(
        Array.from({ length: count }, (_, index) => this.#bannerServer(internal + index)),
      );
      const opened = servers.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
      if (opened.length === count) {
        this.#servers.push(...opened);
        this.#ports = { internal, external: internal, count };
        return;
      }
      for (const server of opened) server.close();
    }
    throw new Error("no free run of ports");
  }

  #bannerServer(port: number): Promise<{ close(): void }> {
    const { promise, resolve, reject } = Promise.withResolvers<{ close(): void }>();
    const server = createServer((socket) => {
      socket.on("error", () => undefined);
      this.#probes += 1;
      this.#probesToFail -= 1;
      if (this.#sshUp && this.#probesToFail < 0 && this.#published(port)) socket.end("SSH-2.0-stand-in\r\n");
      else socket.destroy();
    });
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve(server));
    return promise;
  }

  #published(port: number): boolean {
    return [...this.runtime.containers.values()].some(
      ({ seen, spec }) =>
        seen.state === "running" &&
        Object.values(spec.HostConfig.PortBindings).some((hosts) =>
          hosts.some(({ HostPort }) => HostPort === String(port)),
        ),
    );
  }
}
