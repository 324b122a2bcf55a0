/**
 * Which host takes a pod, and with which GPUs: the first in the order of ids that has room. Pure, and a refusal is a
 * normal answer: it says of every host what is missing there.
 */
import { closesHost, type HostFacts } from "../../protocol/host.ts";
import type { GpuUuid, HostId } from "../../protocol/ids.ts";
import type { PodSpec } from "../../protocol/pod.ts";
import { chooseGpus } from "./gpu-choice/choose.ts";
import type { Free } from "./host.ts";

export interface Candidate {
  readonly hostId: HostId;
  /** Absent while the host is not connected, or has not said yet what is on it. */
  readonly offer?: { readonly facts: HostFacts; readonly free: Free } | undefined;
}

export interface PlacementRequest {
  readonly spec: PodSpec;
  readonly hostId?: HostId | undefined;
}

export type Placement =
  | { readonly ok: true; readonly hostId: HostId; readonly gpus: readonly GpuUuid[] }
  | {
      readonly ok: false;
      readonly code: "no-capacity" | "secret-wrong-host" | "host-not-found";
      readonly message: string;
      readonly details: Readonly<Record<string, unknown>>;
    };

export function place(request: PlacementRequest, hosts: readonly Candidate[]): Placement {
  const { spec, hostId } = request;
  const named = hosts
    .filter((host) => hostId === undefined || host.hostId === hostId)
    .toSorted((a, b) => (a.hostId < b.hostId ? -1 : 1));
  if (hostId !== undefined && named.length === 0) {
    return { ok: false, code: "host-not-found", message: `There is no host ${hostId}.`, details: { hostId } };
  }
  const offers = named.flatMap(({ hostId: id, offer }) => (offer === undefined ? [] : [{ hostId: id, ...offer }]));
  const readers = offers.filter(({ facts }) => canOpenSecrets(spec, facts.sealingKey));
  if (readers.length === 0 && recipients(spec).length > 0) {
    return {
      ok: false,
      code: "secret-wrong-host",
      message: "The sealed values can be opened by none of the hosts that are connected.",
      details: { sealedTo: recipients(spec) },
    };
  }
  const tries = readers.map((host) => ({ hostId: host.hostId, ...fit(spec, host) }));
  const taken = tries.find(({ missing }) => missing.length === 0);
  if (taken !== undefined) return { ok: true, hostId: taken.hostId, gpus: taken.gpus };
  const details = { hosts: tries.map(({ hostId: id, missing }) => ({ hostId: id, missing })) };
  return { ok: false, code: "no-capacity", message: sentence(tries.length), details };
}

function sentence(asked: number): string {
  if (asked === 0) return "No host that could take this pod is connected.";
  return `No host has room for this pod; ${asked === 1 ? "one was" : `${asked} were`} asked.`;
}

/** The keys that the spec's secrets are sealed to, each once. */
function recipients({ sealedEnv, registryAuth, volume }: PodSpec): string[] {
  const sealed = [sealedEnv, registryAuth?.password, volume?.key].flatMap((value) => value ?? []);
  return [...new Set(sealed.map(({ to }) => to))];
}

function canOpenSecrets(spec: PodSpec, sealingKey: string): boolean {
  return recipients(spec).every((to) => to === sealingKey);
}

function fit(
  spec: PodSpec,
  { facts, free }: NonNullable<Candidate["offer"]>,
): { readonly gpus: readonly GpuUuid[]; readonly missing: readonly string[] } {
  const problems = facts.problems.filter(closesHost).map(({ code, message }) => `${code}: ${message}`);
  const gpus = chooseGpus(spec.gpus, free.gpus, facts.gpuLinks);
  const lacks = (["cpus", "memoryBytes", "diskBytes"] as const)
    .filter((kind) => spec[kind] > free.resources[kind])
    .map((kind) => `${kind}: ${spec[kind]} asked for, ${free.resources[kind]} free`);
  return { gpus: gpus.chosen, missing: [...problems, ...gpus.missing, ...lacks] };
}
