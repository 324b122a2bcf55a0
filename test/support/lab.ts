/**
 * A GPU host of one's own for tests of networks and engines: namespaces with a private Docker Engine, and beside them a
 * second network that plays the internet. All of it ends with the process that holds it, also after a `kill -9` of the test.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import Docker from "dockerode";

import { exec, type ExecResult } from "../../common/exec.ts";
import { removeCgroups } from "./arena/processes.ts";
import { until } from "./arena/wait.ts";

export const HOST_ADDRESS = "172.31.0.2";
/** Addresses of the internet beyond: a public one, one in a private network, and a cloud's metadata service. */
export const INTERNET = { public: "8.8.8.8", private: "10.9.0.1", metadata: "169.254.169.254", gateway: "172.31.0.1" };

const COMMAND_MS = 60_000;
const START_MS = 30_000;
const ANY_EXIT = Array.from({ length: 256 }, (_, code) => code);
const NAMESPACES = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"];

export class Lab implements AsyncDisposable {
  readonly dir: string;
  readonly docker: Docker;
  readonly #anchor: ChildProcess;
  /** On this machine, of a process in the lab. */
  readonly pid: number;
  readonly #cgroup: string;
  #daemon: ChildProcess | undefined;

  private constructor(dir: string, anchor: ChildProcess, pid: number) {
    this.dir = dir;
    this.#anchor = anchor;
    this.pid = pid;
    this.#cgroup = `lium-lab-${pid}`;
    this.docker = new Docker({ socketPath: this.socketPath });
  }

  static async open(): Promise<Lab> {
    const dir = await mkdtemp(join(tmpdir(), "lium-lab-"));
    const anchor = spawn("unshare", [...NAMESPACES, "sleep", "infinity"]);
    const pid = await until("the lab's namespaces", START_MS, () => firstChildOf(anchor.pid ?? 0));
    const lab = new Lab(dir, anchor, pid);
    await lab.#furnish();
    return lab;
  }

  get socketPath(): string {
    return join(this.dir, "docker.sock");
  }

  /** The lab's own nft, as a program of this machine. */
  get nft(): string {
    return join(this.dir, "nft");
  }

  /** Runs a program in the lab; any exit status is an answer. */
  run(argv: readonly string[], timeoutMs = COMMAND_MS): Promise<ExecResult> {
    const signal = AbortSignal.timeout(timeoutMs);
    const [file = "", ...args] = [...this.#enter(), ...argv];
    return exec(file, args, { signal, timeoutMs, allowExitCodes: ANY_EXIT });
  }

  /** A program that stays: in the lab itself, or on the internet beside it. */
  spawn(argv: readonly string[], where: "host" | "internet" = "host"): ChildProcess {
    const prefix = where === "internet" ? ["ip", "netns", "exec", "internet"] : [];
    const [file = "", ...args] = [...this.#enter(), ...prefix, ...argv];
    return spawn(file, args, { stdio: ["ignore", "pipe", "ignore"] });
  }

  /** Starts the engine with these settings of daemon.json, after ending one that runs. */
  async startEngine(settings: Readonly<Record<string, unknown>> = {}): Promise<void> {
    await this.stopEngine();
    const config = join(this.dir, "daemon.json");
    await writeFile(config, JSON.stringify(settings));
    const places = {
      "config-file": config,
      "data-root": "/srv/docker",
      "exec-root": "/run/docker",
      pidfile: "/run/d.pid",
    };
    const options = { ...places, bridge: "none", "cgroup-parent": `/${this.#cgroup}` };
    const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
    this.#daemon = this.spawn(["dockerd", ...args, "--log-level", "error", "--host", `unix://${this.socketPath}`]);
    await until("the lab's engine", START_MS, async () => {
      await this.docker.info();
      return true as const;
    });
  }

  async stopEngine(): Promise<void> {
    const daemon = this.#daemon;
    if (daemon === undefined) return;
    for (const { Id } of await this.docker.listContainers({ all: true })) {
      await this.docker.getContainer(Id).remove({ force: true, v: true });
    }
    await this.run(["sh", "-c", 'kill "$(cat /run/d.pid)"']);
    await until("the engine's end", START_MS, () => (daemon.exitCode === null ? undefined : true));
    this.#daemon = undefined;
  }

  /** Takes an image over from this machine's engine. */
  async load(image: string): Promise<void> {
    await this.docker.loadImage(await new Docker().getImage(image).get()).then((stream) => stream.resume());
    await until(`image ${image}`, START_MS, async () => this.docker.getImage(image).inspect());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopEngine().catch(() => undefined);
    const ended = new Promise((resolve) => this.#anchor.once("exit", resolve));
    this.#anchor.kill("SIGKILL");
    await ended;
    removeCgroups(this.#cgroup);
    await rm(this.dir, { recursive: true, force: true });
  }

  #enter(): string[] {
    return ["nsenter", "--target", String(this.pid), "--net", "--mount", "--pid"];
  }

  async #furnish(): Promise<void> {
    await mkdir(this.dir, { recursive: true });
    const enter = `exec nsenter --target ${this.pid} --net`;
    await writeFile(this.nft, `#!/bin/sh\n${enter} nft "$@"\n`, { mode: 0o755 });
    const inside = `
      mount -t tmpfs -o mode=755 lab /run && mount -t tmpfs -o mode=755 lab /srv
      mkdir /run/etc /run/work
      mount -t overlay -o lowerdir=/etc,upperdir=/run/etc,workdir=/run/work lab /etc
      ip link set lo up
      ip netns add internet
      ip link add eth0 type veth peer name out netns internet
      ip addr add ${HOST_ADDRESS}/24 dev eth0 && ip link set eth0 up
      ip route add default via ${INTERNET.gateway}
      ip -n internet addr add ${INTERNET.gateway}/24 dev out
      ip -n internet link set lo up && ip -n internet link set out up
      ip -n internet addr add ${INTERNET.public}/32 dev lo
      ip -n internet addr add ${INTERNET.private}/32 dev lo
      ip -n internet addr add ${INTERNET.metadata}/32 dev lo
      ip -n internet route add 10.213.0.0/16 via ${HOST_ADDRESS}
      sysctl -qw net.ipv4.ip_forward=1`;
    const { exitCode, stderr } = await this.run(["sh", "-ec", inside]);
    if (exitCode !== 0) throw new Error(`the lab cannot be furnished: ${stderr}`);
  }
}

function firstChildOf(pid: number): number | undefined {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  return children === "" ? undefined : Number(children.split(" ")[0]);
}
