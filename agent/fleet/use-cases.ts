/**
 * What the agent can do for a caller, whichever way the caller came in: validator REST, operator socket, or another gateway.
 * Refusals are AppErrors. A pod that the caller does not own is `pod-not-found`, so that ids tell nothing.
 */
import type { Capacity } from "../../protocol/capacity.ts";
import type { GpuUuid, HostId, Hotkey, PodId } from "../../protocol/ids.ts";
import type { AgentStatus, HostView, Invitation } from "../../protocol/operator-api.ts";
import type { GpuDetails, GpuSummary } from "../../protocol/operator-gpus.ts";
import type { EndReason, Lease, LogLine, LogQuery, PodEvent, PodPhase, PodView } from "../../protocol/pod.ts";
import type { CreatePod } from "../../protocol/validator-api.ts";

/** Who asks: the operator sees all pods, an owner only its own. */
export type Caller = { readonly kind: "owner"; readonly hotkey: Hotkey } | { readonly kind: "operator" };

export type PodChange =
  | { readonly do: "stop" }
  | { readonly do: "start" }
  | { readonly do: "restart" }
  | { readonly do: "terminate"; readonly reason: EndReason }
  | { readonly do: "replace-lease"; readonly lease: Lease }
  | { readonly do: "add-key"; readonly key: string }
  | { readonly do: "remove-key"; readonly fingerprint: string };

export interface UseCases {
  status(): AgentStatus;
  capacity(): Capacity;
  /** Places and stores the pod, then answers. `receivedAtMs` is the monotonic time at which the request arrived. */
  createPod(owner: Hotkey, request: CreatePod, receivedAtMs: number): Promise<PodView>;
  listPods(caller: Caller, filter: { readonly all: boolean; readonly hostId?: HostId | undefined }): PodView[];
  getPod(caller: Caller, podId: PodId): PodView;
  /** Resolves when the pod reaches `phase` or can no longer reach it, or when `signal` aborts: always with the newest view. */
  awaitPhase(caller: Caller, podId: PodId, phase: PodPhase, signal: AbortSignal): Promise<PodView>;
  /** Stores the change, then answers. Repeating one that already holds changes nothing. */
  changePod(caller: Caller, podId: PodId, change: PodChange): Promise<PodView>;
  adoptPod(podId: PodId): Promise<PodView>;
  logs(caller: Caller, podId: PodId, query: LogQuery, signal: AbortSignal): AsyncIterable<LogLine>;
  events(
    caller: Caller,
    podId: PodId,
    query: { readonly after: number; readonly follow: boolean },
    signal: AbortSignal,
  ): AsyncIterable<PodEvent>;
  listHosts(): HostView[];
  getHost(hostId: HostId): HostView;
  /** As the hosts told of them last. */
  listGpus(hostId: HostId | undefined): GpuSummary[];
  getGpu(uuid: GpuUuid): GpuDetails;
  /** In the text that Prometheus reads. */
  metrics(): string;
  invite(ttlSeconds: number): Promise<Invitation>;
}
