/**
 * A Docker Engine of its own on a small disk of its own: a file with an ext4, mounted where only that engine sees it. It
 * publishes nothing, touches no firewall and pulls from registries on loopback. Everything ends with its first process.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, open, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import Docker from "dockerode";

import { systemClock } from "../../../common/clock.ts";
import { exec } from "../../../common/exec.ts";
import { createDockerImages } from "../../../executor/docker/dockerode-images.ts";
import type { ImageStore } from "../../../executor/docker/image-store.ts";
import { until } from "../arena/wait.ts";

const START_MS = 60_000;
const COMMAND_MS = 60_000;
const NAMESPACES = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"];
/** Starts it again when it was killed. */
const START = 'mount -o loop "$1" "$2" && shift 2 && while :; do dockerd "$@"; done';

export interface SmallDisk {
  readonly bytes: number;
  readonly inodes: number;
}

export class SmallEngine implements AsyncDisposable {
  readonly docker: Docker;
  readonly store: ImageStore;
  readonly #folder: string;
  readonly #process: ChildProcess;

  private constructor(folder: string, child: ChildProcess) {
    this.#folder = folder;
    this.#process = child;
    const socketPath = join(folder, "docker.sock");
    this.docker = new Docker({ socketPath });
    this.store = createDockerImages({ socketPath, clock: systemClock(), engineFiles: `/proc/${child.pid}/root` });
  }

  static async start({ bytes, inodes }: SmallDisk): Promise<SmallEngine> {
    const folder = await mkdtemp(join(tmpdir(), "lium-engine-"));
    const [disk, root] = [join(folder, "disk.img"), join(folder, "root")];
    await mkdir(root);
    await writeFile(disk, "");
    await truncate(disk, bytes);
    const limits = { signal: AbortSignal.timeout(COMMAND_MS), timeoutMs: COMMAND_MS };
    await exec("mkfs.ext4", ["-q", "-m", "0", "-N", String(inodes), "-O", "^has_journal", disk], limits);
    await writeFile(join(folder, "daemon.json"), "{}");
    const places = { "config-file": "daemon.json", "exec-root": "exec", pidfile: "docker.pid" };
    const options = [
      ...Object.entries(places).map(([name, file]) => `--${name}=${join(folder, file)}`),
      // Not bridge=none: an engine that is told so removes the machine's docker0.
      ...["iptables=false", "ip6tables=false", "ip-forward=false", "ip-masq=false"].map((no) => `--${no}`),
      `--data-root=${root}`,
      `--host=unix://${join(folder, "docker.sock")}`,
    ];
    const log = await open(join(folder, "log"), "a");
    const child = spawn("unshare", [...NAMESPACES, "sh", "-c", START, "sh", disk, root, ...options], {
      stdio: ["ignore", log.fd, log.fd],
    });
    await log.close();
    const engine = new SmallEngine(folder, child);
    await until("the small engine to answer", START_MS, async () => {
      if (child.exitCode !== null) throw new Error(await readFile(join(folder, "log"), "utf8"));
      await engine.docker.ping();
      return true;
    });
    return engine;
  }

  /** Kills dockerd, and waits until it is back. */
  async crash(): Promise<void> {
    const shell = await childOf(this.#process.pid);
    const dockerd = await childOf(shell);
    process.kill(dockerd, "SIGKILL");
    await until("the small engine to be back", START_MS, async () => {
      if ((await childOf(shell)) === dockerd) return undefined;
      await this.docker.ping();
      return true;
    });
  }

  /** Where this process finds the engine's disk. */
  get rootDir(): string {
    return join(`/proc/${this.#process.pid}/root`, this.#folder, "root");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const containers = await this.docker.listContainers({ all: true });
    await Promise.all(containers.map(({ Id }) => this.docker.getContainer(Id).remove({ force: true })));
    const ended = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await ended;
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 20 });
  }
}

async function childOf(pid: number | undefined): Promise<number> {
  const limits = { signal: AbortSignal.timeout(COMMAND_MS), timeoutMs: COMMAND_MS };
  const { stdout } = await exec("pgrep", ["--oldest", "--parent", String(pid)], limits);
  return Number(stdout);
}
