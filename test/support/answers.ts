/**
 * Valid answers of an agent, each with what the test cares about laid over it.
 */
import type { Capacity } from "../../protocol/capacity.ts";
import type { AgentStatus, HostView } from "../../protocol/operator-api.ts";
import type { LogLine, PodStatus, PodView } from "../../protocol/pod.ts";
import { gpu, hostFacts, hostId, podStatus } from "./agent-builders.ts";
import { OWNER, podId, podSpec, T0, wantedPod } from "./builders.ts";

const AT = new Date(T0).toISOString();

export function podView(over: Partial<Omit<PodView, "status">> & { status?: Partial<PodStatus> } = {}): PodView {
  const { status, ...rest } = over;
  const id = rest.podId ?? podId(1);
  return {
    podId: id,
    owner: wantedPod({ owner: OWNER as PodView["owner"] }).owner,
    hostId: hostId(1),
    createdAt: AT,
    goal: "running",
    claimed: true,
    live: true,
    spec: podSpec(),
    ...rest,
    status: { ...podStatus("running", { podId: id }), ...status },
  };
}

export function capacity(): Capacity {
  const { publicAddress, sealingKey, total, gpus } = hostFacts();
  const free = { ...total, cpus: total.cpus / 2 };
  const offered = gpus.map((one, index) => ({ ...one, free: index === 0 }));
  const [{ vendor, model, memoryBytes, simulated }] = [gpu(1)];
  const models = [{ vendor, model, memoryBytes, simulated, count: offered.length, free: 1, largestSet: 1 }];
  const state = { health: "healthy" as const, problems: [], maintenance: false };
  const place = { hostId: hostId(1), hostKey: sealingKey, sealingKey, publicAddress };
  return { at: AT, offers: [{ ...place, ...state, total, free, models, gpus: offered }] };
}

export function hostView(over: Partial<HostView> = {}): HostView {
  return {
    hostId: hostId(1),
    name: "gpu-host",
    connected: true,
    enrolledAt: AT,
    lastSeenAt: AT,
    facts: hostFacts({ gpus: [gpu(1), gpu(2)] }),
    pods: 1,
    ...over,
  };
}

export function agentStatus(): AgentStatus {
  return {
    version: "0.1.0",
    hotkey: podView().owner,
    network: "development",
    startedAt: AT,
    hosts: { total: 2, connected: 1 },
    pods: { running: 1, other: 2, unclaimed: 0 },
    validatorUrl: "http://203.0.113.7:8091",
    linkUrl: "wss://203.0.113.7:8443/link",
  };
}

export function logLine(line: string): LogLine {
  return { at: AT, stream: "stdout", line };
}

export async function* streamOf<T>(...items: T[]): AsyncGenerator<T, void> {
  yield* items;
}
