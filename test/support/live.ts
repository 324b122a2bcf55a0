/**
 * A whole provider on this machine for end-to-end tests and benchmarks: the stack of installer/local-stack.ts, a typed
 * client that signs as its development validator, and a renter with the machine's own ssh.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import Dockerode from "dockerode";

import { validatorClient, type ValidatorClient } from "../../agent/cli/validator-client.ts";
import { exec } from "../../common/exec.ts";
import { HOST_LABEL } from "../../executor/docker/labels.ts";
import { loadHostKeys } from "../../executor/identity.ts";
import { type HostPlace, type Stack, startStack } from "../../installer/local-stack.ts";
import type { PodId } from "../../protocol/ids.ts";
import { isOver, type PodPhase, type PodSpecInput, type PodView } from "../../protocol/pod.ts";
import { removeVolumes } from "./volumes/remove.ts";

export const LIVE_GPUS = 4;
/** Host ports of pods. */
export const PORTS = { first: 43_000, count: 1_000 };
const LIVE_MS = 60 * 60_000;

export interface Live extends AsyncDisposable {
  readonly stack: Stack;
  readonly client: ValidatorClient;
  readonly keyFile: string;
  readonly publicKey: string;
  spec(over: Partial<PodSpecInput> & { readonly image: string }): PodSpecInput;
  /** Rents and waits until a renter can log in; throws when the pod ends up elsewhere. */
  rent(over: Partial<PodSpecInput> & { readonly image: string }): Promise<PodView>;
  untilPhase(podId: PodId, phase: PodPhase): Promise<PodView>;
  terminate(podId: PodId): Promise<void>;
  /** Runs a command in the pod over ssh. */
  ssh(view: PodView, command: string, options?: { readonly keyFile?: string }): Promise<SshResult>;
}

export interface SshResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

export interface LiveOptions {
  /** The daemons as they are released, from dist/. */
  readonly built?: boolean;
  /** A folder that is there, in place of a temporary one. */
  readonly dir?: string;
  readonly host?: HostPlace;
}

export async function startLive(options: LiveOptions = {}): Promise<Live> {
  const { dir = mkdtempSync(join(tmpdir(), "lium-live-")) } = options;
  const signal = AbortSignal.timeout(LIVE_MS);
  const stack = await startStack({ ...options, stateDir: dir, simulate: `${LIVE_GPUS}xH100`, ports: PORTS, signal });
  const client = await validatorClient({ url: stack.validatorUrl, hotkeyFile: stack.validatorKeyFile });
  const keyFile = join(dir, "renter");
  await exec("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "renter", "-f", keyFile], {
    signal,
    timeoutMs: 10_000,
  });
  const publicKey = readFileSync(`${keyFile}.pub`, "utf8").trim();

  const spec: Live["spec"] = (over) => ({
    memoryBytes: 128 * 2 ** 20,
    shmBytes: 2 ** 20,
    cpus: 0.05,
    diskBytes: 64 * 2 ** 20,
    sshKeys: [publicKey],
    lease: { expiresAt: new Date(Date.now() + 3_600_000).toISOString() },
    ...over,
  });
  const untilPhase: Live["untilPhase"] = async (podId, phase) => {
    for (let tries = 0; tries < 4; tries += 1) {
      const view = await client.getPod({ params: { podId }, query: { awaitPhase: phase, awaitSeconds: 20 } });
      if (view.status.phase === phase) return view;
      if (isOver(view.status.phase)) throw new Error(`the pod is ${JSON.stringify(view.status)}`);
    }
    throw new Error(`${podId} did not become ${phase}`);
  };
  const terminate: Live["terminate"] = async (podId) => {
    await client.terminatePod({ params: { podId } });
    await untilPhase(podId, "ended");
  };
  return {
    stack,
    client,
    keyFile,
    publicKey,
    spec,
    untilPhase,
    terminate,
    rent: async (over) => {
      const { podId } = await client.createPod({ body: { spec: spec(over) } });
      return untilPhase(podId, "running");
    },
    ssh: (view, command, { keyFile: key = keyFile } = {}) => ssh(view, command, { key, dir, signal }),
    [Symbol.asyncDispose]: async () => {
      try {
        const { pods } = await client.listPods({ query: {} });
        await Promise.all(pods.map(({ podId }) => terminate(podId)));
      } finally {
        await client.close();
        await stack.stop();
        if (options.host === undefined) await removeLeftovers(stack.executorDir);
        rmSync(dir, { recursive: true, force: true });
      }
    },
  };
}

/** What a host keeps beyond its pods: networks made ahead, and volumes with their mount points. */
async function removeLeftovers(executorDir: string): Promise<void> {
  const docker = new Dockerode();
  const { identity } = await loadHostKeys(executorDir);
  const networks = await docker.listNetworks({ filters: { label: [`${HOST_LABEL}=${identity.publicKey}`] } });
  await Promise.all(networks.map(({ Id }) => docker.getNetwork(Id).remove()));
  await removeVolumes(join(executorDir, "volumes"));
}

interface SshContext {
  readonly key: string;
  readonly dir: string;
  readonly signal: AbortSignal;
}

async function ssh(view: PodView, command: string, { key, dir, signal }: SshContext): Promise<SshResult> {
  const all = Array.from({ length: 256 }, (_, code) => code);
  return exec("ssh", [...sshArgs(view, { key, dir }), command], { signal, timeoutMs: 30_000, allowExitCodes: all });
}

/** For the machine's own ssh, up to the command; `dir` is where it may keep known hosts. */
export function sshArgs({ status }: PodView, { key, dir }: { readonly key: string; readonly dir: string }): string[] {
  if (status.ssh === undefined) throw new Error("the pod has no SSH line");
  const { host, port, user } = status.ssh;
  const settings = [
    "StrictHostKeyChecking=no",
    `UserKnownHostsFile=${join(dir, "known_hosts")}`,
    "IdentitiesOnly=yes",
    "BatchMode=yes",
    "LogLevel=ERROR",
  ];
  const options = settings.flatMap((setting) => ["-o", setting]);
  return ["-i", key, "-p", String(port), "-F", "none", ...options, `${user}@${host}`];
}
