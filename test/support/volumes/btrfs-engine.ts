/**
 * A Docker Engine of its own on a small btrfs, where it can bound what a container writes to its own disk. It publishes
 * nothing and touches no firewall; its mounts are seen by it alone and end with its first process.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, open, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import Docker from "dockerode";

import { until } from "../arena/wait.ts";

const START_MS = 60_000;
const NAMESPACES = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"];
const START = 'mount -o loop "$1" "$2" && shift 2 && exec dockerd "$@"';

export class BtrfsEngine implements AsyncDisposable {
  readonly docker: Docker;
  readonly socketPath: string;
  readonly #folder: string;
  readonly #process: ChildProcess;

  private constructor(folder: string, process: ChildProcess) {
    this.#folder = folder;
    this.#process = process;
    this.socketPath = join(folder, "docker.sock");
    this.docker = new Docker({ socketPath: this.socketPath });
  }

  static async start(bytes: number): Promise<BtrfsEngine> {
    const folder = await mkdtemp(join(tmpdir(), "lium-btrfs-"));
    const [disk, root] = [join(folder, "disk.img"), join(folder, "root")];
    await mkdir(root);
    await writeFile(disk, "");
    await truncate(disk, bytes);
    execFileSync("mkfs.btrfs", ["-q", disk], { stdio: "ignore" });
    await writeFile(join(folder, "daemon.json"), "{}");
    const places = { "config-file": "daemon.json", "exec-root": "exec", pidfile: "docker.pid" };
    const options = [
      ...Object.entries(places).map(([name, file]) => `--${name}=${join(folder, file)}`),
      ...["iptables=false", "ip6tables=false", "ip-forward=false", "ip-masq=false"].map((no) => `--${no}`),
      `--data-root=${root}`,
      "--storage-driver=btrfs",
      `--host=unix://${join(folder, "docker.sock")}`,
    ];
    const log = await open(join(folder, "log"), "a");
    const process = spawn("unshare", [...NAMESPACES, "sh", "-c", START, "sh", disk, root, ...options], {
      stdio: ["ignore", log.fd, log.fd],
    });
    await log.close();
    const engine = new BtrfsEngine(folder, process);
    await until("the engine on btrfs to answer", START_MS, async () => {
      if (process.exitCode !== null) throw new Error(await readFile(join(folder, "log"), "utf8"));
      await engine.docker.ping();
      return true;
    });
    return engine;
  }

  /** Brings an image of this machine's engine in. */
  async load(image: string): Promise<void> {
    const archive = await new Docker({ socketPath: "/var/run/docker.sock" }).getImage(image).get();
    const answer = await this.docker.loadImage(archive);
    answer.resume();
    await once(answer, "end");
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
