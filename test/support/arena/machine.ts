/**
 * The GPU host of an arena: a machine with a network, mounts, two disks and memory of its own, on one cable to the world.
 * Switching it off ends every process on it at once and loses what was in memory, mounted or configured; the disks stay.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { mkdir, statfs, truncate, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";

import { exec, type ExecResult } from "../../../common/exec.ts";
import { foreignProcesses, removeCgroups, signal, thawAll } from "./processes.ts";
import { pause, until } from "./wait.ts";

export const WORLD_ADDRESS = "10.99.0.1";
export const MACHINE_ADDRESS = "10.99.0.2";

/** Sparse: they take from memory what is written to them. */
const DISK_BYTES = { engine: 16 * 2 ** 30, state: 16 * 2 ** 30 };
const COMMAND_MS = 60_000;
const POWER_OFF_MS = 30_000;

export type Disk = keyof typeof DISK_BYTES;

export class Machine {
  /** A folder in memory that belongs to the arena; the machine sees it too. */
  readonly root: string;
  readonly cgroup: string;
  #anchor: ChildProcess | undefined;
  #boots = 0;

  constructor(options: { readonly root: string; readonly cgroup: string }) {
    this.root = options.root;
    this.cgroup = options.cgroup;
  }

  /** Makes the two disks, empty. */
  async makeDisks(): Promise<void> {
    for (const [disk, bytes] of Object.entries(DISK_BYTES)) {
      await writeFile(this.#image(disk), "");
      await truncate(this.#image(disk), bytes);
      await command(["mkfs.ext4", "-q", "-m", "0", "-E", "lazy_itable_init=1,lazy_journal_init=1", this.#image(disk)]);
    }
  }

  async boot(): Promise<void> {
    this.#anchor = spawn("unshare", ["--net", "--mount", "--propagation", "private", "sleep", "infinity"]);
    await until("the machine's own network", 5_000, () => foreignProcesses().find(({ pid }) => pid === this.pid));
    const cable = ["link", "add", "cable", "type", "veth", "peer", "name", "eth0", "netns", String(this.pid)];
    for (const args of [cable, ["addr", "add", `${WORLD_ADDRESS}/24`, "dev", "cable"], ["link", "set", "cable", "up"]])
      await command(["ip", ...args]);
    for (const args of [
      ["ip", "link", "set", "lo", "up"],
      ["ip", "addr", "add", `${MACHINE_ADDRESS}/24`, "dev", "eth0"],
      ["ip", "link", "set", "eth0", "up"],
      ["ip", "route", "add", "default", "via", WORLD_ADDRESS],
      ["mount", "-t", "tmpfs", "-o", "mode=755", "run", "/run"],
    ])
      await this.run(args);
    for (const disk of Object.keys(DISK_BYTES)) await this.#mountDisk(disk);
    this.#boots += 1;
    const bootId = `${String(this.#boots).padStart(8, "0")}-0000-4000-8000-000000000000\n`;
    await writeFile(this.path("/run/boot_id"), bootId);
    await this.run(["mount", "--bind", "/run/boot_id", "/proc/sys/kernel/random/boot_id"]);
  }

  /** As if the plug was pulled, but that the disks lose nothing. */
  async powerOff(): Promise<void> {
    const deadline = performance.now() + POWER_OFF_MS;
    for (let left = foreignProcesses(); left.length > 0; left = foreignProcesses()) {
      if (performance.now() > deadline) throw new Error(`cannot end ${JSON.stringify(left)}`);
      thawAll(this.cgroup);
      for (const { pid } of left) signal(pid, "SIGKILL");
      await pause(20);
    }
    this.#anchor = undefined;
    await command(["ip", "link", "delete", "cable"], [0, 1]);
    await until("the disks to be let go", POWER_OFF_MS, () => (this.loops().length === 0 ? true : undefined));
    removeCgroups(this.cgroup);
  }

  get pid(): number {
    if (this.#anchor?.pid === undefined) throw new Error("the machine is off");
    return this.#anchor.pid;
  }

  /** Goes before a command that is to run on the machine. */
  enter(): string[] {
    return ["nsenter", "--target", String(this.pid), "--net", "--mount", "--"];
  }

  run(argv: readonly string[], allowExitCodes: readonly number[] = [0]): Promise<ExecResult> {
    return command([...this.enter(), ...argv], allowExitCodes);
  }

  /** Starts a few words of JavaScript on the machine; SQLite, for one, does not find its way there from the world. */
  node(script: string, args: readonly string[]): ChildProcess {
    const [file, ...enter] = this.enter();
    return spawn(file ?? "", [...enter, process.execPath, "-e", script, ...args], { stdio: "ignore" });
  }

  /** Where the world finds a path of the machine. */
  path(inside: string): string {
    return join(`/proc/${this.pid}/root`, inside);
  }

  /** Where a disk is mounted on the machine. */
  disk(disk: string): string {
    return join(this.root, disk);
  }

  async freeBytes(disk: Disk): Promise<number> {
    const { bavail, bsize } = await statfs(this.path(this.disk(disk)));
    return bavail * bsize;
  }

  /** Takes all room on a disk; gives what makes room again. */
  async fill(disk: Disk): Promise<() => Promise<void>> {
    const filler = join(this.disk(disk), "filler");
    // What cannot be taken in one piece is taken byte by byte.
    await this.run(["fallocate", "-l", String(await this.freeBytes(disk)), filler], [0, 1]);
    await this.run(["dd", "if=/dev/zero", `of=${filler}`, "bs=4k", "oflag=append", "conv=notrunc"], [0, 1]);
    return async () => void (await this.run(["rm", filler]));
  }

  /** Possible only while nobody has a file open for writing. */
  async remount(disk: Disk, mode: "ro" | "rw"): Promise<void> {
    await this.run(["mount", "-o", `remount,${mode}`, this.disk(disk)]);
  }

  /** An error on the disk, after which the kernel lets nobody write until the next boot. */
  async failDisk(disk: Disk): Promise<void> {
    const { stdout } = await this.run(["findmnt", "--noheadings", "--output", "SOURCE", this.disk(disk)]);
    await writeFile(`/sys/fs/ext4/${basename(stdout.trim())}/trigger_fs_error`, "1");
  }

  /** Takes the only cable out, and puts it back in. */
  async pullCableFor(ms: number): Promise<void> {
    await command(["ip", "link", "set", "cable", "down"]);
    await pause(ms);
    await command(["ip", "link", "set", "cable", "up"]);
  }

  /** The files behind the loop devices of this arena. */
  loops(): string[] {
    return readdirSync("/sys/block")
      .filter((name) => name.startsWith("loop"))
      .map((name) => readOrEmpty(`/sys/block/${name}/loop/backing_file`).trim())
      .filter((file) => file.includes(`/${basename(this.root)}/`));
  }

  async #mountDisk(disk: string): Promise<void> {
    await mkdir(this.disk(disk), { recursive: true });
    await command(["e2fsck", "-p", "-f", this.#image(disk)], [0, 1]);
    await this.run(["mount", "-o", "loop,errors=remount-ro", this.#image(disk), this.disk(disk)]);
  }

  #image(disk: string): string {
    return join(this.root, `${disk}.img`);
  }
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function command(argv: readonly string[], allowExitCodes: readonly number[] = [0]): Promise<ExecResult> {
  const [file, ...args] = argv;
  return exec(file ?? "", args, { signal: AbortSignal.timeout(COMMAND_MS), timeoutMs: COMMAND_MS, allowExitCodes });
}
