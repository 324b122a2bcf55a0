/**
 * A pod made of a container and the pod kit alone, and the OpenSSH programs of this machine to log in to it.
 * `dispose` removes the container, its network and every file.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

import Docker from "dockerode";

import { systemClock } from "../../common/clock.ts";
import { exec, type ExecResult } from "../../common/exec.ts";
import { hardening } from "../../executor/docker/hardening.ts";
import { generateSshHostKey } from "../../executor/ssh/host-key.ts";
import { writePodFiles, writeSecretEnv } from "../../executor/ssh/pod-files.ts";
import {
  buildPodKit,
  kitEntrypoint,
  kitMounts,
  type PodDirs,
  type PodMain,
  RUN_TMPFS,
  SSH_PORT,
} from "../../executor/ssh/pod-kit.ts";
import { waitForSsh } from "../../executor/ssh/probe.ts";
import { TEST_LABEL } from "./images.ts";

export interface PodInput {
  readonly image: string;
  /** The image's own command, as its own user, when left out. */
  readonly main?: Partial<PodMain>;
  readonly env?: Readonly<Record<string, string>>;
  readonly secretEnv?: Readonly<Record<string, string>>;
  readonly readOnlyRoot?: boolean;
}

type Program = "ssh" | "scp" | "sftp" | "rsync";

const CLIENT_MS = 30_000;
const ANY_EXIT = Array.from({ length: 256 }, (_, code) => code);

export class SshPod {
  readonly #folder: string;
  readonly #network: Docker.Network;
  readonly dirs: PodDirs;
  readonly container: Docker.Container;
  /** Two lines of authorized_keys; the first is the key that `run` logs in with. */
  readonly publicKeys: readonly string[];
  port = 0;

  private constructor(
    folder: string,
    network: Docker.Network,
    parts: Pick<SshPod, "dirs" | "container" | "publicKeys">,
  ) {
    this.#folder = folder;
    this.#network = network;
    this.dirs = parts.dirs;
    this.container = parts.container;
    this.publicKeys = parts.publicKeys;
  }

  /** Creates and starts the container. */
  static async start(input: PodInput): Promise<SshPod> {
    const folder = await mkdtemp(join(tmpdir(), "lium-ssh-"));
    const kit = await buildPodKit({ stateDir: folder, signal: new AbortController().signal });
    const dirs = { kitDir: kit.dir, podDir: join(folder, "pod"), secretDir: join(folder, "secret") };
    const keys = await Promise.all(["key0", "key1"].map((name) => makeKey(join(folder, name))));
    const hostKey = generateSshHostKey();
    await writePodFiles(dirs.podDir, { hostKey, authorizedKeys: keys });
    await writeSecretEnv(dirs.secretDir, input.secretEnv ?? {});

    const network = await createNetwork(basename(folder));
    const container = await createContainer(input, dirs, network);
    const pod = new SshPod(folder, network, { dirs, container, publicKeys: keys });
    try {
      await container.start();
      if (input.main?.stay !== false) await pod.#findPort(hostKey.publicLine);
      return pod;
    } catch (error) {
      await pod.dispose();
      throw error;
    }
  }

  /** What a container wrote, out of Docker's frames: eight bytes of header, the last four of them a length, then text. */
  static textOf(frames: Buffer): string {
    let text = "";
    for (let at = 0; at + 8 <= frames.length;) {
      const end = at + 8 + frames.readUInt32BE(at + 4);
      text += frames.toString("utf8", at + 8, end);
      at = end;
    }
    return text;
  }

  async dispose(): Promise<void> {
    try {
      await this.container.remove({ force: true, v: true });
      await this.#network.remove();
    } finally {
      await rm(this.#folder, { recursive: true, force: true });
    }
  }

  path(name: string): string {
    return join(this.#folder, name);
  }

  /** Waits for the banner on the published port. */
  async untilReady(): Promise<void> {
    const deps = { clock: systemClock(), signal: new AbortController().signal };
    const ready = await waitForSsh({ host: "127.0.0.1", port: this.port }, CLIENT_MS, deps);
    if (!ready) throw new Error(`no SSH in the pod: ${await this.logs()}`);
  }

  /** Options by which any of the four clients finds the pod, pins its host key and offers one key. */
  options(program: Program, key = 0): string[] {
    const ssh = ["-F", "none", "-i", this.path(`key${key}`)].concat(
      ["IdentitiesOnly=yes", "BatchMode=yes", "StrictHostKeyChecking=yes", "LogLevel=ERROR"].flatMap((o) => ["-o", o]),
      ["-o", `UserKnownHostsFile=${this.path("known_hosts")}`],
    );
    if (program === "rsync") return ["-e", ["ssh", ...ssh, "-p", String(this.port)].join(" ")];
    return [...ssh, program === "ssh" ? "-p" : "-P", String(this.port)];
  }

  /** Runs a command line in the pod; any exit status is an answer. */
  ssh(command: string, more: { readonly options?: string[]; readonly key?: number } = {}): Promise<ExecResult> {
    const args = [...this.options("ssh", more.key), ...(more.options ?? []), "root@127.0.0.1", command];
    return runClient("ssh", args);
  }

  /** Types into a login with a terminal, as a person does: the last line has to leave the shell. */
  async typeInto(lines: readonly string[]): Promise<{ stdout: string; exitCode: number | null }> {
    const args = [...this.options("ssh"), "-tt", "root@127.0.0.1"];
    // Whoever runs the tests may have no terminal of their own.
    const env = { ...process.env, TERM: "xterm" };
    const client = spawn("ssh", args, { stdio: ["pipe", "pipe", "ignore"], timeout: CLIENT_MS, env });
    let stdout = "";
    client.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
    // A terminal does not end. Newer servers hang up when their client's input does.
    client.stdin.write(lines.map((line) => `${line}\n`).join(""));
    await once(client, "close");
    return { stdout, exitCode: client.exitCode };
  }

  /** Copies with a client; `pod:` stands for the pod in `args`. */
  copy(program: Exclude<Program, "ssh">, args: readonly string[], input = ""): Promise<ExecResult> {
    const there = args.map((arg) => arg.replace(/^pod:/, "root@127.0.0.1:"));
    return runClient(program, [...this.options(program), ...there], { input });
  }

  async logs(streams = { stdout: true, stderr: true }): Promise<string> {
    return SshPod.textOf(await this.container.logs({ ...streams, follow: false }));
  }

  /** The container's exit status. */
  async untilExit(): Promise<number> {
    const { StatusCode } = (await this.container.wait()) as { StatusCode: number };
    return StatusCode;
  }

  async #findPort(hostKeyLine: string): Promise<void> {
    const { NetworkSettings } = await this.container.inspect();
    this.port = Number(NetworkSettings.Ports[`${SSH_PORT}/tcp`]?.[0]?.HostPort);
    await writeFile(this.path("known_hosts"), `[127.0.0.1]:${this.port} ${hostKeyLine}\n`);
  }
}

export function runClient(
  file: string,
  args: readonly string[],
  more: { readonly input?: string; readonly env?: Record<string, string> } = {},
): Promise<ExecResult> {
  const signal = new AbortController().signal;
  return exec(file, args, { signal, timeoutMs: CLIENT_MS, allowExitCodes: ANY_EXIT, ...more });
}

/** Makes a key pair; resolves with its public half as `type base64`. */
export async function makeKey(path: string): Promise<string> {
  await runClient("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", path]);
  const { stdout } = await runClient("ssh-keygen", ["-y", "-f", path]);
  return stdout.trim().split(" ").slice(0, 2).join(" ");
}

/** A command line for this machine's ssh-add in any pod: the kit's loader runs it, for an image may have no C library. */
export async function sshAddInPod(kitDir: string): Promise<string> {
  const loader = (await readdir(join(kitDir, "lib"))).find((name) => name.startsWith("ld-"));
  const libraries = ["/.lium/k/lib", "/host/lib/x86_64-linux-gnu", "/host/lib/aarch64-linux-gnu"];
  return `/.lium/k/lib/${loader} --library-path ${libraries.join(":")} /host/bin/ssh-add`;
}

/**
 * As a pod, it has a network of its own. The engine's common bridge takes another address when a container of somebody else
 * comes or goes, and what a pod then says last in a connection is lost until it asks for the address again: half a minute.
 */
async function createNetwork(Name: string): Promise<Docker.Network> {
  return new Docker().createNetwork({ Name, Driver: "bridge", Labels: TEST_LABEL });
}

async function createContainer(input: PodInput, dirs: PodDirs, network: Docker.Network): Promise<Docker.Container> {
  const docker = new Docker();
  const { Config } = await docker.getImage(input.image).inspect();
  const argv = [...toList(Config.Entrypoint), ...(Config.Cmd ?? [])];
  const main = kitEntrypoint({ argv, user: Config.User, stay: true, ...input.main });
  const tmpfs = input.readOnlyRoot ? { "/tmp": "mode=1777", "/run": "mode=755" } : {};
  return docker.createContainer({
    Image: input.image,
    User: "0:0",
    Entrypoint: main.entrypoint,
    Cmd: main.cmd,
    Env: Object.entries(input.env ?? {}).map(([name, value]) => `${name}=${value}`),
    Labels: TEST_LABEL,
    ExposedPorts: { [`${SSH_PORT}/tcp`]: {} },
    HostConfig: {
      ...hardened(),
      Init: true,
      NetworkMode: network.id,
      ReadonlyRootfs: input.readOnlyRoot ?? false,
      PortBindings: { [`${SSH_PORT}/tcp`]: [{ HostIp: "127.0.0.1", HostPort: "0" }] },
      Tmpfs: { [RUN_TMPFS.path]: RUN_TMPFS.options, ...tmpfs },
      Mounts: [...kitMounts(dirs), { hostPath: "/usr", podPath: "/host", readOnly: true }].map((mount) => ({
        Type: "bind",
        Source: mount.hostPath,
        Target: mount.podPath,
        ReadOnly: mount.readOnly,
      })),
    },
  });
}

/** What every pod is denied, as dockerode wants it: arrays that it could write to. */
export function hardened(): Docker.HostConfig {
  const { CapAdd, CapDrop, SecurityOpt, Ulimits, ...rest } = hardening({});
  const lists = { CapAdd: [...(CapAdd ?? [])], CapDrop: [...(CapDrop ?? [])], SecurityOpt: [...SecurityOpt] };
  return { ...rest, ...lists, Ulimits: [...(Ulimits ?? [])] };
}

function toList(value: string | string[] | undefined): string[] {
  return value === undefined || value === null ? [] : [value].flat();
}
