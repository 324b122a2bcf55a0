/**
 * What a fault works with: a whole provider whose host can be hurt, and the checks that follow every fault. One scene
 * serves many faults, one after the other.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { createHttpClient, type HttpClient } from "../../../common/http-client.ts";
import { usageRoutes } from "../../../protocol/host-api/usage.ts";
import { operatorApi } from "../../../protocol/operator-api.ts";
import { busyboxImage } from "../images.ts";
import { type Live, LIVE_GPUS, startLive } from "../live.ts";
import { type Fault as RegistryFault, FaultyRegistry } from "../registry/faulty-registry.ts";
import { makeTestImage } from "../registry/image-content.ts";
import { Clock } from "./clock.ts";
import { Engine } from "./engine.ts";
import { type Footprint, footprint, listeningOn, noLeaks } from "./footprint.ts";
import { Link } from "./link.ts";
import { MACHINE_ADDRESS, Machine, WORLD_ADDRESS } from "./machine.ts";
import { ScenePods } from "./pods.ts";
import { type Random, seededRandom } from "./random.ts";
import { pause, until } from "./wait.ts";

const EXECUTOR_LOG = "executor/executor.log";
const LOGS = [EXECUTOR_LOG, "dockerd.log", "agent/agent.log"];
const LINKED_MS = 30_000;
const TAKEN_MS = 10_000;
const LISTEN = "for (const p of process.argv.slice(1)) require('net').createServer().listen(Number(p), '0.0.0.0')";
/** The host looks at its disks twice a minute. */
const WELL_MS = 60_000;
const REQUEST_MS = 10_000;
const IMAGE_BYTES = 4 * 2 ** 20;
/** For an image of a registry: some six seconds. */
export const SLOWLY = { kind: "trickle", chunkBytes: IMAGE_BYTES / 60, everyMs: 100 } as const;

interface Parts {
  readonly machine: Machine;
  readonly engine: Engine;
  readonly live: Live;
  readonly link: Link;
  readonly clock: Clock;
  readonly operator: HttpClient<typeof operatorApi>;
  readonly pods: ScenePods;
  readonly image: string;
}

export class Scene {
  readonly machine: Machine;
  readonly engine: Engine;
  readonly live: Live;
  readonly link: Link;
  readonly clock: Clock;
  readonly operator: HttpClient<typeof operatorApi>;
  readonly pods: ScenePods;
  /** A busybox and nothing else. */
  readonly image: string;
  random: Random = seededRandom("", "");
  #registries: FaultyRegistry[] = [];
  #before: Footprint = {};

  private constructor(parts: Parts) {
    this.machine = parts.machine;
    this.engine = parts.engine;
    this.live = parts.live;
    this.link = parts.link;
    this.clock = parts.clock;
    this.operator = parts.operator;
    this.pods = parts.pods;
    this.image = parts.image;
  }

  /** Boots the machine and starts engine, agent and executor. `root` is an empty folder in memory. */
  static async open({ root, cgroup }: { readonly root: string; readonly cgroup: string }): Promise<Scene> {
    const machine = new Machine({ root, cgroup });
    await machine.makeDisks();
    await machine.boot();
    const engine = new Engine(machine);
    await engine.start();
    const clock = new Clock(root);
    Object.assign(process.env, {
      // Everything that speaks to an engine by default shall speak to this one.
      DOCKER_HOST: `unix://${engine.socketPath}`,
      LIUM_AGENT_VALIDATOR_RATE_LIMIT_PER_MINUTE: "100000",
      LIUM_EXECUTOR_STATE_DIR: machine.disk("state"),
      LIUM_EXECUTOR_RUN_DIR: "/run/lium-executor",
      LIUM_EXECUTOR_DOCKER_SOCKET_PATH: engine.socketPath,
      LIUM_EXECUTOR_RESERVE_DISK_BYTES: "0",
      // Soon enough for a fault to see it.
      LIUM_EXECUTOR_STRAYS_GRACE_SECONDS: "15",
      LIUM_EXECUTOR_STRAYS_EVERY_SECONDS: "5",
    });
    const image = await busyboxImage();
    const enter = () => [...machine.enter(), ...clock.env()];
    const host = { enter, agentAddress: WORLD_ADDRESS, hostAddress: MACHINE_ADDRESS };
    const live = await startLive({ dir: root, host });
    const at = { socketPath: live.stack.agentSocket };
    const operator = createHttpClient(operatorApi, { at, timeoutMs: REQUEST_MS });
    const { linkUrl } = await operator.status({});
    const link = new Link(Number(new URL(linkUrl).port));
    return new Scene({ machine, engine, live, link, clock, operator, pods: new ScenePods(live, image), image });
  }

  /** What the executor answers its operator. */
  async host<T>(ask: (host: HttpClient<typeof usageRoutes>) => Promise<T>): Promise<T> {
    const at = { socketPath: this.machine.path("/run/lium-executor/control.sock") };
    const client = createHttpClient(usageRoutes, { at, timeoutMs: REQUEST_MS });
    try {
      return await ask(client);
    } finally {
      await client.close();
    }
  }

  /** Before a fault. */
  async begin(random: Random): Promise<void> {
    this.random = random;
    await this.hostIsWell();
    this.#before = await this.footprint();
  }

  /** After a fault: throws when a promise was broken. */
  async finish({ engineLeaves = [] }: { readonly engineLeaves?: readonly string[] } = {}): Promise<void> {
    await this.holds();
    await this.pods.endAll();
    await Promise.all(this.#registries.splice(0).map((registry) => registry[Symbol.asyncDispose]()));
    await noLeaks(this.#before, () => this.footprint(), engineLeaves);
  }

  /** A registry in the world with one image that no engine has; its layers come as `fault` says. */
  async registry(fault?: RegistryFault): Promise<{ readonly reference: string; readonly registry: FaultyRegistry }> {
    const registry = await new FaultyRegistry().listen(WORLD_ADDRESS);
    this.#registries.push(registry);
    registry.layerFault = fault;
    const image = await makeTestImage({ name: "renters/image", noiseBytes: [IMAGE_BYTES] });
    return { reference: registry.add(image), registry };
  }

  /** The checks of `finish` that can be made at any time. */
  async holds(): Promise<void> {
    await this.pods.countersNeverStopped();
    await this.noDuplicates();
    await this.pods.allAsWanted();
  }

  footprint(): Promise<Footprint> {
    return footprint(this.machine, this.engine);
  }

  /** No pod has two containers, and no host port two pods. */
  async noDuplicates(): Promise<void> {
    const containers = await this.engine.docker.listContainers({ all: true, filters: { label: ["lium.pod"] } });
    const pods = containers.map(({ Labels }) => Labels["lium.pod"]);
    const ports = containers.flatMap(({ Ports }) =>
      Ports.filter(({ IP, PublicPort }) => IP !== "::" && PublicPort !== undefined).map(
        ({ Type, PublicPort }) => `${Type} ${PublicPort}`,
      ),
    );

    assert.deepEqual(pods, [...new Set(pods)], "a pod has two containers");
    assert.deepEqual(ports, [...new Set(ports)], "two pods have one port");
  }

  async killExecutor(): Promise<void> {
    await this.live.stack.executor.kill();
  }

  /** Resolves when the executor has told the agent about all its pods. */
  async startExecutor(): Promise<void> {
    const linked = this.nextLink();
    await this.live.stack.executor.start();
    await linked();
  }

  async restartExecutor(): Promise<void> {
    await this.killExecutor();
    await this.startExecutor();
  }

  async restartAgent(): Promise<void> {
    const linked = this.nextLink();
    await this.live.stack.agent.kill();
    await this.live.stack.agent.start();
    await linked();
  }

  /** Gives a wait for the link that the executor will make next: the agent may take a dead one for alive for a while. */
  nextLink(): () => Promise<void> {
    const before = this.#links();
    return async () => {
      await until("the executor to be linked", LINKED_MS, () => (this.#links() > before ? true : undefined));
      await until("the agent to know it", LINKED_MS, async () => {
        const { hosts } = await this.operator.listHosts({});
        return hosts.every(({ connected }) => connected) ? true : undefined;
      });
    };
  }

  /** Pulls the plug, and starts machine, engine and executor. Renters have to log in again. */
  async reboot(): Promise<void> {
    await this.powerOff();
    await this.machine.boot();
    await this.engine.start();
    await this.startExecutor();
  }

  async powerOff(): Promise<void> {
    await this.pods.stopCounting();
    await this.machine.powerOff();
    // It is dead already; this lets the stack know.
    await this.killExecutor();
  }

  /** The codes of what troubles the host, as its agent knows it. */
  async problems(): Promise<string[]> {
    const { hosts } = await this.operator.listHosts({});
    return hosts.flatMap(({ facts }) => facts?.problems.map(({ code }) => code) ?? []);
  }

  /** A host with a problem is given no pods; a GPU that an unreadable container may hold is offered a while after that went. */
  async hostIsWell(): Promise<void> {
    await until("the host to be without problems and to offer its GPUs", WELL_MS, async () => {
      assert.deepEqual(await this.problems(), []);
      const { hosts } = await this.operator.listHosts({});
      assert.deepEqual(
        hosts.map(({ facts }) => facts?.gpus.length),
        [LIVE_GPUS],
      );
      return true as const;
    });
  }

  /** Another program on the host takes these ports; resolves, when called, once it has ended. */
  async listenOn(ports: readonly number[]): Promise<() => Promise<void>> {
    const program = this.machine.node(LISTEN, ports.map(String));
    await until("the ports to be taken", TAKEN_MS, () => {
      const taken = new Set(listeningOn(this.machine, "tcp"));
      return ports.every((port) => taken.has(port)) ? true : undefined;
    });
    return async () => {
      program.kill("SIGKILL");
      await once(program, "exit");
    };
  }

  /** Of a process, in bytes. */
  residentBytes(pid: number): number {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
  }

  pause(ms: number): Promise<void> {
    return pause(ms);
  }

  /** Up to so long, chosen by the seed. */
  pauseUpTo(ms: number): Promise<void> {
    return pause(this.random.int(0, ms));
  }

  /** The newest lines of the daemons. */
  lastWords(lines = 40): string {
    return LOGS.map((name) => [`--- ${name}`, ...this.#log(name).trimEnd().split("\n").slice(-lines)].join("\n")).join(
      "\n",
    );
  }

  #links(): number {
    return this.#log(EXECUTOR_LOG).split("linked to the agent").length;
  }

  #log(name: string): string {
    try {
      return readFileSync(join(this.machine.root, name), "utf8");
    } catch {
      return "";
    }
  }
}
