/**
 * The world around a host, on this machine: a network of its own with a server at the addresses that clouds and offices
 * use, and at one public address, which are all reached as in real life, by forwarding. It goes when its process goes.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readlink } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";

import { exec } from "../../common/exec.ts";

export const METADATA = "169.254.169.254";
/** One of each range that only a provider's own machines have. */
export const LAN = ["10.254.77.7", "172.31.77.7", "192.168.77.7", "100.64.77.7"];
/** Stands for the internet; nothing is ever sent there beyond this machine. */
export const PUBLIC = "1.2.3.4";
export const PORT = 80;

const HERE = { address: "198.18.77.1/30", device: "redteam0" };
const THERE = { address: "198.18.77.2", device: "redteam1" };
const COMMAND_MS = 10_000;

export class Outside implements AsyncDisposable {
  readonly #server: ChildProcess;

  private constructor(server: ChildProcess) {
    this.#server = server;
  }

  static async open(program: string): Promise<Outside> {
    await run(["ip", "link", "delete", HERE.device], [0, 1]);
    const server = spawn("unshare", ["--net", program, "serve", String(PORT)], { stdio: "ignore" });
    const outside = new Outside(server);
    try {
      await outside.#connect();
      return outside;
    } catch (error) {
      await outside[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run(["ip", "link", "delete", HERE.device], [0, 1]);
    if (this.#server.exitCode !== null || this.#server.signalCode !== null) return;
    const ended = once(this.#server, "exit");
    this.#server.kill("SIGKILL");
    await ended;
  }

  async #connect(): Promise<void> {
    const pid = String(this.#server.pid);
    const own = await readlink("/proc/self/ns/net");
    const deadline = AbortSignal.timeout(COMMAND_MS);
    while ((await readlink(`/proc/${pid}/ns/net`).catch(() => own)) === own)
      await pause(5, undefined, { signal: deadline });
    const there = ["nsenter", "--target", pid, "--net", "--", "ip"];
    const addresses = [METADATA, ...LAN, PUBLIC];
    const { address, device } = HERE;
    await run(["ip", "link", "add", device, "type", "veth", "peer", "name", THERE.device, "netns", pid]);
    await run(["ip", "addr", "add", address, "dev", device]);
    await run(["ip", "link", "set", device, "up"]);
    await run([...there, "addr", "add", `${THERE.address}/30`, "dev", THERE.device]);
    await run([...there, "link", "set", THERE.device, "up"]);
    await run([...there, "link", "set", "lo", "up"]);
    await run([...there, "route", "add", "default", "via", address.replace("/30", "")]);
    for (const other of addresses) {
      await run([...there, "addr", "add", `${other}/32`, "dev", THERE.device]);
      await run(["ip", "route", "add", `${other}/32`, "via", THERE.address, "dev", device]);
    }
  }
}

async function run([file = "", ...args]: readonly string[], allowExitCodes: readonly number[] = [0]): Promise<void> {
  await exec(file, args, { signal: AbortSignal.timeout(COMMAND_MS), timeoutMs: COMMAND_MS, allowExitCodes });
}
