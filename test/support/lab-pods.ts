/**
 * Pods in a lab, started as the executor starts them: the same container, in a network of its own, behind the same checks.
 * Tests run commands in them through the engine.
 */
import { mkdtempSync } from "node:fs";
import { join } from "node:path";

import { systemClock } from "../../common/clock.ts";
import { exec, type ExecResult } from "../../common/exec.ts";
import { containerSpec } from "../../executor/docker/container-spec.ts";
import { createDockerNetworks } from "../../executor/docker/dockerode-networks.ts";
import { createDockerRuntime } from "../../executor/docker/dockerode-runtime.ts";
import { createEmptyImage } from "../../executor/docker/empty-image.ts";
import { IsolationConfig } from "../../executor/isolation/config.ts";
import { readHostNetwork } from "../../executor/isolation/host-network.ts";
import { createIsolation, type Isolation, type IsolationDeps } from "../../executor/isolation/isolation.ts";
import type { PodNetwork } from "../../executor/isolation/slots.ts";
import type { PodRecord } from "../../executor/pods/state.ts";
import { generateSshHostKey } from "../../executor/ssh/host-key.ts";
import { writePodFiles, writeSecretEnv } from "../../executor/ssh/pod-files.ts";
import { buildPodKit, type PodDirs, type PodKit, SSH_PORT } from "../../executor/ssh/pod-kit.ts";
import type { PodSpecInput } from "../../protocol/pod.ts";
import { podId, podSpec, wantedPod } from "./builders.ts";
import type { Lab } from "./lab.ts";
import { loggerToMemory } from "./memory-log.ts";

const COMMAND_MS = 60_000;
const ANY_EXIT = Array.from({ length: 256 }, (_, code) => code);
export const BUSYBOX = "/.lium/k/bin/busybox";

export interface LabPod {
  readonly name: string;
  readonly network: PodNetwork;
  readonly address: string;
  /** On the lab's host, of the pod's SSH server and of its port 80. */
  readonly ports: { readonly ssh: number; readonly web: number };
  /** Runs a program in the pod; any exit status is an answer. */
  run(argv: readonly string[], timeoutMs?: number): Promise<ExecResult>;
  /** The same for a line of shell. */
  sh(script: string): Promise<ExecResult>;
}

export async function isolationIn(
  lab: Lab,
  settings: Partial<IsolationConfig> = {},
  over: Partial<IsolationDeps> = {},
): Promise<Isolation> {
  const { socketPath } = lab;
  const kit = await kitIn(lab);
  return createIsolation({
    config: { ...IsolationConfig.parse({ spareNetworks: 0 }), ...settings },
    hostId: "lab",
    networks: createDockerNetworks({ socketPath }),
    runtime: createDockerRuntime({ socketPath }),
    emptyImage: createEmptyImage({ socketPath }),
    clock: systemClock(),
    log: loggerToMemory().log,
    kitDir: kit.dir,
    nft: lab.nft,
    readHostNetwork: () => readHostNetwork(`/proc/${lab.pid}`),
    ...over,
  });
}

function kitIn(lab: Lab): Promise<PodKit> {
  return buildPodKit({ stateDir: lab.dir, signal: AbortSignal.timeout(COMMAND_MS) });
}

interface PodInput {
  readonly image: string;
  readonly keys?: readonly string[];
  readonly spec?: Partial<PodSpecInput>;
}

/** Rejects as the executor would: before there is a container, when a protection is missing. */
export async function startPod(lab: Lab, isolation: Isolation, input: PodInput): Promise<LabPod> {
  const signal = AbortSignal.timeout(COMMAND_MS);
  const runtime = createDockerRuntime({ socketPath: lab.socketPath });
  const held = (await lab.docker.listNetworks()).flatMap(({ IPAM }) => IPAM?.Config?.[0]?.Subnet ?? []);
  await isolation.networks.keepSpares(() => held, signal);
  const network = isolation.networks.choose(held);
  if (network === undefined) throw new Error("no network is free");
  const web = 20_000 + held.length * 2;
  const record: PodRecord = {
    wanted: wantedPod({
      podId: podId(held.length),
      spec: podSpec({ command: [BUSYBOX, "sleep", "3600"], memoryBytes: 2 ** 27, ...input.spec }),
    }),
    acceptedAtMs: 0,
    ports: [
      { containerPort: SSH_PORT, protocol: "tcp", hostPort: web + 1 },
      { containerPort: 80, protocol: "tcp", hostPort: web },
    ],
    timeline: {},
  };
  await isolation.check(signal);
  const dirs = await writeFiles(lab, isolation, input.keys ?? []);
  const { Id: id } = await lab.docker.getImage(input.image).inspect();
  const spec = containerSpec({
    record,
    image: { id, user: "", entrypoint: [], command: [], stopSignal: undefined },
    dirs,
    bindAddress: "0.0.0.0",
    host: "lab",
    network,
    isolation: isolation.settings,
  });
  await isolation.networks.ensure(network, spec.name, signal);
  await runtime.create(spec, signal);
  await runtime.start(spec.name, signal);
  const { NetworkSettings } = await lab.docker.getContainer(spec.name).inspect();
  const run: LabPod["run"] = (argv, timeoutMs = COMMAND_MS) =>
    exec("docker", ["--host", `unix://${lab.socketPath}`, "exec", spec.name, ...argv], {
      signal: AbortSignal.timeout(timeoutMs),
      timeoutMs,
      allowExitCodes: ANY_EXIT,
    });
  return {
    name: spec.name,
    network,
    address: NetworkSettings.Networks[network.name]?.IPAddress ?? "",
    ports: { ssh: web + 1, web },
    run,
    sh: (script) => run([BUSYBOX, "sh", "-c", script]),
  };
}

async function writeFiles(lab: Lab, { podRoot: owner }: Isolation, keys: readonly string[]): Promise<PodDirs> {
  const folder = mkdtempSync(join(lab.dir, "pod-"));
  const dirs = { kitDir: (await kitIn(lab)).dir, podDir: join(folder, "pod"), secretDir: join(folder, "secret") };
  await writePodFiles(dirs.podDir, { hostKey: generateSshHostKey(), authorizedKeys: keys, owner });
  await writeSecretEnv(dirs.secretDir, { SECRET: "sealed" }, owner);
  return dirs;
}

/** Whether a TCP connection from a pod to a server that greets is made within two seconds. */
export async function reaches(pod: Pick<LabPod, "run">, address: string, port: number): Promise<boolean> {
  const { exitCode } = await pod.run([BUSYBOX, "nc", "-w", "2", address, String(port)]);
  return exitCode === 0;
}
