/**
 * Where the red team works: a provider on this machine, the world around it, a neighbour with a secret and a service, and
 * the pod of the one who wants out. Things lie in wait wherever an attempt could lead.
 */
import { randomBytes } from "node:crypto";
import { createSocket, type Socket as DatagramSocket } from "node:dgram";
import { once } from "node:events";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";

import Dockerode from "dockerode";

import { seal } from "../../common/sealed-box.ts";
import type { PodView } from "../../protocol/pod.ts";
import { busyboxImage } from "../support/images.ts";
import { type Live, startLive } from "../support/live.ts";
import { buildRedTeam } from "./build.ts";
import { LAN, METADATA, Outside, PORT, PUBLIC } from "./outside.ts";
import { copyInto, serveEcho } from "./renter.ts";

const MIB = 2 ** 20;
const ECHO_PORT = 7_100;
export const LIMITS = { pidsLimit: 256, memoryBytes: 128 * MIB, shmBytes: 16 * MIB, diskBytes: 64 * MIB, cpus: 0.5 };
/** More than one pod may have at once. */
export const FLOWS = 20_000;

export interface Addresses {
  readonly address: string;
  readonly gateway: string;
}

export class RedTeamScene implements AsyncDisposable {
  readonly docker = new Dockerode();
  readonly #stack = new AsyncDisposableStack();
  readonly #secret = `neighbour-${randomBytes(12).toString("hex")}`;
  readonly #canaryFile = join(tmpdir(), `lium-redteam-canary-${process.pid}`);
  readonly #canaryText = randomBytes(16).toString("hex");
  program = "";
  live!: Live;
  attacker!: PodView;
  neighbour!: PodView;

  static async open(): Promise<RedTeamScene> {
    const scene = new RedTeamScene();
    try {
      await scene.#open();
      return scene;
    } catch (error) {
      await scene[Symbol.asyncDispose]();
      throw error;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }

  /** Where the neighbour's service is reached from outside. */
  get echo(): { readonly host: string; readonly port: number } {
    const port = this.neighbour.status.ports.find(({ containerPort }) => containerPort === ECHO_PORT)?.hostPort;
    return { host: hostAddresses()[0] ?? "", port: port ?? 0 };
  }

  /** What the program is told: where everything lies. */
  async settings(): Promise<Record<string, string | number>> {
    const [own, neighbour] = [await this.#addresses(this.attacker), await this.#addresses(this.neighbour)];
    const hosts = [...new Set([own.gateway, neighbour.gateway, ...hostAddresses()])];
    const { validatorUrl, agentDir } = this.live.stack;
    const listeners = JSON.parse(readFileSync(join(agentDir, "listeners.json"), "utf8")) as { linkUrl: string };
    return {
      ...this.canaries,
      own: own.address,
      hosts: hosts.join(),
      public: `${PUBLIC}:${PORT}`,
      metadata: `${METADATA}:${PORT}`,
      lan: LAN.map((address) => `${address}:${PORT}`).join(),
      linkLocal: linkLocals()
        .map((address) => `[${address}%eth0]:${this.canaries.canaryTcp}`)
        .join(),
      neighbours: [7022, ECHO_PORT].map((port) => `${neighbour.address}:${port}`).join(),
      published: this.#publishedPorts()
        .flatMap((port) => hosts.map((host) => `${host}:${port}`))
        .join(),
      ...scanOf(own.address),
      agentPorts: [validatorUrl, listeners.linkUrl].map((url) => new URL(url).port).join(),
      hostPid: this.live.stack.executor.pid ?? 0,
      pids: LIMITS.pidsLimit,
      memoryBytes: LIMITS.memoryBytes,
      shmBytes: LIMITS.shmBytes,
      diskBytes: LIMITS.diskBytes,
      othersSecret: this.#secret,
      flows: FLOWS,
      flowsTo: PUBLIC,
      seconds: 3,
    };
  }

  /** The size of the attacker's log on the host. */
  async logBytes(): Promise<number> {
    const { LogPath } = await this.#inspect(this.attacker);
    const sizes = ["", ".1", ".2", ".3", ".4"].map((suffix) => sizeOf(`${LogPath}${suffix}`));
    return sizes.reduce((sum, size) => sum + size, 0);
  }

  /** What is in the file of the host that no pod may see or change. */
  get canaryUntouched(): boolean {
    return readFileSync(this.#canaryFile, "utf8") === this.#canaryText;
  }

  /** Has the engine start programs in the attacker's pod until told to stop. */
  async startProgramsUntil(signal: AbortSignal): Promise<void> {
    const container = this.docker.getContainer(`lium-${this.attacker.podId}`);
    while (!signal.aborted) {
      const exec = await container.exec({ Cmd: ["/.lium/k/bin/busybox", "true"], User: "0:0" });
      await exec.start({ Detach: true });
    }
  }

  canaries = { canaryTcp: 0, canaryUdp: 0, canaryFile: "", canaryText: "" };

  async #open(): Promise<void> {
    this.program = await buildRedTeam();
    this.#stack.use(await Outside.open(this.program));
    await this.#layCanaries();
    this.live = this.#stack.use(await startOnEveryAddress());
    const image = await busyboxImage();
    const { offers } = await this.live.client.capacity({});
    const sealedEnv = seal(
      Buffer.from(JSON.stringify({ NEIGHBOURS_SECRET: this.#secret })),
      offers[0]?.sealingKey ?? "",
    );
    const ports = [{ containerPort: ECHO_PORT }];
    this.neighbour = await this.live.rent({ image, ports, sealedEnv, ...LIMITS });
    this.attacker = await this.live.rent({ image, ...LIMITS });
    await Promise.all([this.neighbour, this.attacker].map((view) => copyInto(this.live, view, this.program)));
    await serveEcho(this.live, this.neighbour, ECHO_PORT);
  }

  async #layCanaries(): Promise<void> {
    const tcp = createServer((socket) => socket.end("reached"));
    const udp = createSocket("udp4", (message, { port, address }) => udp.send(message, port, address));
    this.canaries = {
      canaryTcp: await listen(tcp),
      canaryUdp: await bind(udp),
      canaryFile: this.#canaryFile,
      canaryText: this.#canaryText,
    };
    writeFileSync(this.#canaryFile, this.#canaryText, { mode: 0o600 });
    this.#stack.defer(() => {
      tcp.close();
      udp.close();
      rmSync(this.#canaryFile, { force: true });
    });
  }

  async #addresses(view: PodView): Promise<Addresses> {
    const { NetworkSettings } = await this.#inspect(view);
    const [network] = Object.values(NetworkSettings.Networks);
    return { address: network?.IPAddress ?? "", gateway: network?.Gateway ?? "" };
  }

  #publishedPorts(): number[] {
    const { ssh, ports } = this.neighbour.status;
    return [ssh?.port ?? 0, ...ports.map(({ hostPort }) => hostPort)];
  }

  #inspect(view: PodView): Promise<Dockerode.ContainerInspectInfo> {
    return this.docker.getContainer(`lium-${view.podId}`).inspect();
  }
}

/** As providers run it: pods' ports are open on all addresses of the host. */
async function startOnEveryAddress(): Promise<Live> {
  const variable = "LIUM_EXECUTOR_NETWORK_BIND_ADDRESS";
  process.env[variable] = "0.0.0.0";
  try {
    return await startLive();
  } finally {
    delete process.env[variable];
  }
}

function hostAddresses(): string[] {
  return interfaceAddresses()
    .filter(
      ({ family, internal, name }) => family === "IPv4" && !internal && !/^(docker|br-|veth|lium|redteam)/.test(name),
    )
    .map(({ address }) => address);
}

/** Of the bridges that pods are on. */
function linkLocals(): string[] {
  return interfaceAddresses()
    .filter(
      ({ family, address, name }) => family === "IPv6" && address.startsWith("fe80:") && /^(docker|lium)/.test(name),
    )
    .map(({ address }) => address);
}

function interfaceAddresses() {
  return Object.entries(networkInterfaces()).flatMap(([name, entries]) =>
    (entries ?? []).map((entry) => ({ ...entry, name })),
  );
}

/** Pods' networks are cut out of one pool, eight addresses each; without them all pods share one bridge. */
function scanOf(address: string): { scanFrom: string; scanStep: number } {
  const [a, b] = address.split(".");
  return { scanFrom: `${a}.${b}.0.0`, scanStep: address.startsWith("172.17.") ? 4 : 8 };
}

async function listen(server: Server): Promise<number> {
  server.listen(0);
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

async function bind(socket: DatagramSocket): Promise<number> {
  socket.bind(0);
  await once(socket, "listening");
  return socket.address().port;
}

function sizeOf(path: string): number {
  try {
    return readFileSync(path).byteLength;
  } catch {
    return 0;
  }
}
