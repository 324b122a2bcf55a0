/**
 * The Docker Engine of an arena's machine, to be killed, frozen and started again. Its socket lies where the world can
 * reach it too.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { open, writeFile } from "node:fs/promises";
import { join } from "node:path";

import Dockerode from "dockerode";

import { type Machine, WORLD_ADDRESS } from "./machine.ts";
import { foreignProcesses, type Process, samePids, signal } from "./processes.ts";
import { pause, until } from "./wait.ts";

const START_MS = 60_000;
const STOP_MS = 60_000;

export class Engine {
  readonly socketPath: string;
  readonly docker: Dockerode;
  readonly #machine: Machine;
  #liveRestore = true;
  #daemon: ChildProcess | undefined;

  constructor(machine: Machine) {
    this.#machine = machine;
    this.socketPath = join(machine.root, "docker.sock");
    this.docker = new Dockerode({ socketPath: this.socketPath });
  }

  /** Starts dockerd and waits until it answers; `liveRestore` stays as it was when left out. */
  async start({ liveRestore = this.#liveRestore }: { readonly liveRestore?: boolean } = {}): Promise<void> {
    this.#liveRestore = liveRestore;
    const config = join(this.#machine.root, "docker-daemon.json");
    const registries = [`${WORLD_ADDRESS}/24`];
    const features = { cdi: true };
    await writeFile(
      config,
      JSON.stringify({ features, "live-restore": liveRestore, "insecure-registries": registries, "log-level": "warn" }),
    );
    const log = await open(join(this.#machine.root, "dockerd.log"), "a");
    const places = {
      "data-root": this.#machine.disk("engine"),
      "exec-root": "/run/docker",
      pidfile: "/run/docker.pid",
    };
    const options = { "config-file": config, ...places, "cgroup-parent": `/${this.#machine.cgroup}` };
    const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
    const [nsenter = "", ...enter] = this.#machine.enter();
    const command = [...enter, "dockerd", ...args, "--host", `unix://${this.socketPath}`];
    this.#daemon = spawn(nsenter, command, { stdio: ["ignore", log.fd, log.fd] });
    await log.close();
    await until("dockerd to answer", START_MS, () => this.answers());
  }

  async answers(): Promise<true | undefined> {
    await this.docker.listContainers({ limit: 1, abortSignal: AbortSignal.timeout(2_000) });
    return true;
  }

  /** dockerd ends at once, and its containerd with it; shims and containers go on. */
  async kill9(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** As systemd stops it. */
  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  async restart(options: { readonly liveRestore?: boolean } = {}): Promise<void> {
    await this.stop();
    await this.start(options);
  }

  freeze(): void {
    signal(this.pid, "SIGSTOP");
  }

  thaw(): void {
    signal(this.pid, "SIGCONT");
  }

  async frozenFor(ms: number): Promise<void> {
    this.freeze();
    await pause(ms);
    this.thaw();
  }

  get pid(): number {
    if (this.#daemon?.pid === undefined) throw new Error("the engine is not running");
    return this.#daemon.pid;
  }

  containerd(): Process {
    return found("containerd", (process) => process.name === "containerd");
  }

  /** The shim that holds a container's process. */
  async shimOf(container: string): Promise<Process> {
    const { Id } = await this.docker.getContainer(container).inspect();
    return found("containerd-shim", ({ name, args }) => name.startsWith("containerd-shim") && args.includes(Id));
  }

  /** The processes in a container; the first is its init. */
  async processesIn(container: string): Promise<Process[]> {
    const { State } = await this.docker.getContainer(container).inspect();
    return samePids(State.Pid);
  }

  isAlive(pid: number): boolean {
    return foreignProcesses().some((process) => process.pid === pid);
  }

  async #end(kind: NodeJS.Signals): Promise<void> {
    const daemon = this.#daemon;
    this.#daemon = undefined;
    if (daemon === undefined || daemon.exitCode !== null || daemon.signalCode !== null) return;
    daemon.kill(kind);
    daemon.kill("SIGCONT");
    await once(daemon, "exit", { signal: AbortSignal.timeout(STOP_MS) });
    await until("containerd to end", STOP_MS, () =>
      foreignProcesses().some(({ name }) => name === "containerd") ? undefined : true,
    );
  }
}

function found(what: string, matches: (process: Process) => boolean): Process {
  const process = foreignProcesses().find(matches);
  if (process === undefined) throw new Error(`there is no ${what}`);
  return process;
}
