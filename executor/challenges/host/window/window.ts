/**
 * Ports of this host, open for a validator to look through: a container publishes them as a pod's are, in a network such as
 * pods have, and a process of ours answers there. Nothing of a renter's is near: it has no image, no disk and no privilege.
 */
import { createHash } from "node:crypto";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";

import type { PublicPort } from "../../../../protocol/challenge/host-messages.ts";
import { AppError } from "../../../../protocol/errors.ts";
import { hardening } from "../../../docker/hardening.ts";
import { HOST_LABEL } from "../../../docker/labels.ts";
import type { ContainerRuntime, ContainerSpec } from "../../../docker/runtime.ts";
import { type WorkerParts, WorkerProcess } from "../../../gpus/children/worker-process.ts";
import type { HostProcesses } from "../../../host/processes/host-processes.ts";
import type { NetworkLoan } from "../../../isolation/networks.ts";
import { CHECK_LABEL } from "../../../isolation/self-check.ts";
import { kitMounts } from "../../../ssh/pod-kit.ts";
import type { WindowRequest } from "../words.ts";

export interface WindowDeps extends WorkerParts {
  readonly runtime: Pick<ContainerRuntime, "create" | "start" | "remove">;
  readonly processes: Pick<HostProcesses, "ofContainer">;
  readonly emptyImage: (signal: AbortSignal) => Promise<string>;
  /** One such as pods have, with their firewall in force. */
  readonly borrowNetwork: (container: string, signal: AbortSignal) => Promise<NetworkLoan>;
  readonly kitDir: string;
  readonly hostId: string;
  /** The address that pods' ports are published on. */
  readonly bindAddress: string;
}

/** A port as pods' containers publish it. */
export type HostPort = { readonly hostPort: number } & Pick<PublicPort, "protocol">;

const MIB = 2 ** 20;
const READY_MS = 20_000;
const CLOSE_MS = 30_000;
const ENV = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" };
const NO_REST = { firstDelayMs: 0, maxDelayMs: 0 };

/**
 * Runs `work` while they are open; `request` names them by the numbers on the host. Rejects with `port-busy` where one of them is
 * taken, as `borrowNetwork` does, with what the engine refuses, and with `challenge-failed` where the answering process cannot work.
 */
export async function withWindow(
  { ports, request }: { readonly ports: readonly HostPort[]; readonly request: WindowRequest },
  work: () => Promise<void>,
  deps: WindowDeps,
  signal: AbortSignal,
): Promise<void> {
  const { runtime } = deps;
  const image = await deps.emptyImage(signal);
  const name = nameOf(deps.hostId);
  // One that a crash left behind would be in the way.
  await runtime.remove(name, signal);
  const loan = await deps.borrowNetwork(name, signal);
  try {
    const spec = specOf({ name, image, network: loan.network.name, ports }, deps);
    const containerId = await runtime.create(spec, signal);
    await runtime.start(name, signal);
    const worker = await startWorker(containerId, deps, signal);
    try {
      const answer = await worker.request(request, READY_MS, signal);
      if (!answer.ok) throw new AppError("challenge-failed", { message: `Nothing can listen there: ${answer.detail}` });
      await work();
    } finally {
      await worker.close();
    }
  } finally {
    await runtime.remove(name, AbortSignal.timeout(CLOSE_MS)).catch(() => undefined);
    loan.end();
  }
}

/** What a crash left open. */
export async function closeWindow({ runtime, hostId }: Pick<WindowDeps, "runtime" | "hostId">): Promise<void> {
  await runtime.remove(nameOf(hostId), AbortSignal.timeout(CLOSE_MS));
}

function nameOf(hostId: string): string {
  return `lium-window-${createHash("sha256").update(hostId).digest("hex").slice(0, 12)}`;
}

async function startWorker(containerId: string, deps: WindowDeps, signal: AbortSignal): Promise<WorkerProcess> {
  const { members } = await deps.processes.ofContainer(containerId, signal);
  const [inside] = members;
  if (inside === undefined)
    throw new AppError("challenge-failed", { message: "The container for the ports has ended." });
  const script = fileURLToPath(new URL(`./worker${extname(import.meta.url)}`, import.meta.url));
  const within = ["nsenter", `--net=/proc/${inside.pid}/ns/net`];
  return new WorkerProcess({ name: "window", script, args: [], within, env: ENV, restart: NO_REST }, deps);
}

interface Window {
  readonly name: string;
  readonly image: string;
  readonly network: string;
  readonly ports: readonly HostPort[];
}

function specOf({ name, image, network, ports }: Window, { kitDir, hostId, bindAddress }: WindowDeps): ContainerSpec {
  const kit = kitMounts({ kitDir, podDir: "", secretDir: "" }).filter(({ hostPath }) => hostPath === kitDir);
  const names = ports.map(({ hostPort, protocol }) => ({ hostPort, port: `${hostPort}/${protocol}` }));
  return {
    name,
    Image: image,
    User: "0:0",
    Entrypoint: ["/.lium/k/bin/busybox"],
    Cmd: ["sleep", "3600"],
    Env: [],
    Labels: { [HOST_LABEL]: hostId, [CHECK_LABEL]: "yes" },
    Hostname: "window",
    ExposedPorts: Object.fromEntries(names.map(({ port }) => [port, {}])),
    HostConfig: {
      ...hardening({}),
      Init: false,
      NetworkMode: network,
      PortBindings: Object.fromEntries(
        names.map(({ port, hostPort }) => [port, [{ HostIp: bindAddress, HostPort: String(hostPort) }]]),
      ),
      Mounts: kit.map(({ hostPath, podPath }) => ({ Type: "bind", Source: hostPath, Target: podPath, ReadOnly: true })),
      Tmpfs: {},
      ReadonlyRootfs: true,
      Memory: 64 * MIB,
      MemorySwap: 64 * MIB,
      NanoCpus: 1_000_000_000,
      PidsLimit: 16,
      ShmSize: MIB,
      LogConfig: { Type: "json-file", Config: { "max-size": "1m" } },
      RestartPolicy: { Name: "no" },
    },
  };
}
