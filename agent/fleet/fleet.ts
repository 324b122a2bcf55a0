/**
 * What the agent does for its callers. A request is stored before it is answered, and only then told to the host.
 *
 * Decisions are pure functions (placement, pod, view); this class asks them, one request at a time, and writes down
 * what they say.
 */
import type { Clock } from "../../common/clock.ts";
import type { Capacity } from "../../protocol/capacity.ts";
import { AppError, toAppError } from "../../protocol/errors.ts";
import type { GpuUuid, HostId, Hotkey, PodId } from "../../protocol/ids.ts";
import type { AgentStatus, HostView, Invitation } from "../../protocol/operator-api.ts";
import type { GpuDetails, GpuSummary } from "../../protocol/operator-gpus.ts";
import type { LogLine, LogQuery, PodEvent, PodPhase, PodView, WantedPod } from "../../protocol/pod.ts";
import type { CreatePod } from "../../protocol/validator-api.ts";
import type { GpuReports } from "../gpus/gpu-reports.ts";
import { metricsText } from "../gpus/metrics.ts";
import { findGpu, listGpus, type TellingHost } from "../gpus/view.ts";
import type { PodRecord } from "../store/records.ts";
import type { AuditEntry, NewEvent, Store } from "../store/store.ts";
import { changeEvent, maySee, nameOf } from "./callers.ts";
import { followEvents } from "./follow-events.ts";
import { hasEnded } from "./host.ts";
import type { OffersConfig } from "./offers-config.ts";
import { offersOf, priceMicrosOf } from "./offers.ts";
import { type Candidate, place } from "./placement.ts";
import { changeWanted, checkLease } from "./pod.ts";
import { requestHash } from "./request-hash.ts";
import type { Roster } from "./roster.ts";
import { type SeenHost, seenHosts } from "./seen-hosts.ts";
import type { Caller, PodChange, UseCases } from "./use-cases.ts";
import { hostViewOf, isSettled, viewOf } from "./view.ts";

export interface FleetOptions {
  readonly version: string;
  readonly hotkey: Hotkey;
  readonly network: "development" | "test" | "finney";
  readonly offers: OffersConfig;
  /** Milliseconds since the epoch. */
  readonly startedAtMs: number;
}

export interface FleetDeps {
  readonly roster: Roster;
  readonly store: Store;
  readonly gpus: Pick<GpuReports, "of">;
  readonly clock: Clock;
  readonly newPodId: () => PodId;
  readonly invite: (ttlSeconds: number) => Promise<Invitation>;
  /** Where this agent is reached; known once it listens. */
  readonly urls: () => Pick<AgentStatus, "validatorUrl" | "linkUrl">;
}

export class Fleet implements UseCases {
  readonly #options: FleetOptions;
  readonly #deps: FleetDeps;
  readonly #roster: Roster;

  constructor(options: FleetOptions, deps: FleetDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#roster = deps.roster;
  }

  status(): AgentStatus {
    const { version, hotkey, network, startedAtMs } = this.#options;
    const hosts = this.#roster.hosts();
    const pods = hosts.flatMap(({ record }) => this.#roster.activeOn(record.hostId));
    const claimed = pods.filter((pod) => pod.claimed);
    const running = claimed.filter((pod) => this.#view(pod).status.phase === "running").length;
    return {
      version,
      hotkey,
      network,
      startedAt: new Date(startedAtMs).toISOString(),
      hosts: { total: hosts.length, connected: hosts.filter(({ connected }) => connected).length },
      pods: { running, other: claimed.length - running, unclaimed: pods.length - claimed.length },
      ...this.#deps.urls(),
    };
  }

  capacity(): Capacity {
    const offers = this.#seen().flatMap(({ candidate, hostKey, terms, trouble }) =>
      offersOf(candidate, {
        hostKey,
        terms,
        priceMicrosOf: (model) => priceMicrosOf(this.#options.offers, model),
        gpuProblems: trouble.problems,
      }),
    );
    return { at: this.#now(), offers };
  }

  createPod(owner: Hotkey, request: CreatePod, receivedAtMs: number): Promise<PodView> {
    return this.#roster.exclusively(async () => {
      const repeated = this.#repeated(owner, request);
      if (repeated !== undefined) return this.#view(repeated);
      const pod = await this.#audited({ who: owner, action: "create", subject: "-" }, () =>
        this.#accept(owner, request, receivedAtMs),
      );
      this.#roster.link(pod.hostId)?.want([pod.wanted]);
      return this.#view(pod);
    });
  }

  listPods(
    caller: Caller,
    { all, hostId }: { readonly all: boolean; readonly hostId?: HostId | undefined },
  ): PodView[] {
    return this.#roster
      .pods()
      .filter(
        (pod) => maySee(caller, pod) && (all || !hasEnded(pod)) && (hostId === undefined || pod.hostId === hostId),
      )
      .map((pod) => this.#view(pod));
  }

  getPod(caller: Caller, podId: PodId): PodView {
    return this.#view(this.#find(caller, podId));
  }

  async awaitPhase(caller: Caller, podId: PodId, phase: PodPhase, signal: AbortSignal): Promise<PodView> {
    const { promise: settled, resolve } = Promise.withResolvers<void>();
    const look = (): void => {
      const pod = this.#find(caller, podId);
      if (signal.aborted || isSettled(pod, this.#roster.isReady(pod.hostId), phase)) resolve();
    };
    const unwatch = this.#roster.watchers.on(podId, look);
    signal.addEventListener("abort", look, { once: true });
    try {
      look();
      await settled;
    } finally {
      unwatch();
      signal.removeEventListener("abort", look);
    }
    return this.getPod(caller, podId);
  }

  changePod(caller: Caller, podId: PodId, change: PodChange): Promise<PodView> {
    return this.#roster.exclusively(async () => {
      const pod = this.#find(caller, podId);
      const entry = { who: nameOf(caller), action: change.do, subject: podId };
      const changed = await this.#audited(entry, async () => {
        const wanted = changeWanted(pod, change, this.#deps.clock.now());
        return wanted === pod.wanted ? pod : this.#save({ ...pod, wanted }, entry, changeEvent(caller, change));
      });
      if (changed !== pod) this.#roster.link(pod.hostId)?.want([changed.wanted]);
      return this.#view(changed);
    });
  }

  adoptPod(podId: PodId): Promise<PodView> {
    return this.#roster.exclusively(async () => {
      const pod = this.#find({ kind: "operator" }, podId);
      if (pod.claimed) return this.#view(pod);
      const entry = { who: "operator", action: "adopt", subject: podId };
      const message = "The operator took the pod as this agent's own.";
      return this.#view(await this.#save({ ...pod, claimed: true }, entry, { code: "adopted", message }));
    });
  }

  async *logs(caller: Caller, podId: PodId, query: LogQuery, signal: AbortSignal): AsyncGenerator<LogLine> {
    const { hostId } = this.#find(caller, podId);
    const link = this.#roster.link(hostId);
    if (link === undefined) throw new AppError("host-unreachable", { details: { hostId } });
    yield* link.logs(podId, query, signal);
  }

  async *events(
    caller: Caller,
    podId: PodId,
    query: { readonly after: number; readonly follow: boolean },
    signal: AbortSignal,
  ): AsyncGenerator<PodEvent> {
    this.#find(caller, podId);
    const { store } = this.#deps;
    yield* followEvents({ podId, ...query }, { store, watchers: this.#roster.watchers, signal });
  }

  listHosts(): HostView[] {
    return this.#roster.hosts().map((host) => hostViewOf(host, this.#roster.activeOn(host.record.hostId), this.#now()));
  }

  getHost(hostId: HostId): HostView {
    const host = this.#roster.host(hostId);
    if (host === undefined) throw new AppError("host-not-found", { details: { hostId } });
    return hostViewOf(host, this.#roster.activeOn(hostId), this.#now());
  }

  listGpus(hostId: HostId | undefined): GpuSummary[] {
    if (hostId !== undefined) this.getHost(hostId);
    return listGpus(this.#tellingHosts(), hostId);
  }

  getGpu(uuid: GpuUuid): GpuDetails {
    return findGpu(this.#tellingHosts(), uuid);
  }

  metrics(): string {
    const ownerOf = (podId: PodId): Hotkey | undefined => this.#roster.pod(podId)?.wanted.owner;
    return metricsText({ hosts: this.#tellingHosts(), ownerOf, nowMs: this.#deps.clock.now() });
  }

  invite(ttlSeconds: number): Promise<Invitation> {
    return this.#deps.invite(ttlSeconds);
  }

  /** Throws `idempotency-mismatch` when the key belongs to a different request. */
  #repeated(owner: Hotkey, request: CreatePod): PodRecord | undefined {
    const { idempotencyKey } = request;
    const before = idempotencyKey === undefined ? undefined : this.#roster.podOfRequest(owner, idempotencyKey);
    if (before === undefined || before.idempotency?.requestHash === requestHash(request)) return before;
    throw new AppError("idempotency-mismatch", { details: { podId: before.wanted.podId } });
  }

  /** Places the pod and stores it. */
  async #accept(owner: Hotkey, request: CreatePod, receivedAtMs: number): Promise<PodRecord> {
    const { clock, newPodId } = this.#deps;
    const { spec, idempotencyKey } = request;
    checkLease(spec.lease, clock.now());
    const placement = place(request, this.#candidates());
    if (!placement.ok) throw new AppError(placement.code, placement);
    const { hostId, gpus } = placement;
    const podId = newPodId();
    const wanted: WantedPod = { podId, owner, revision: 1, goal: "running", runs: 1, gpus: [...gpus], spec };
    const pod: PodRecord = {
      wanted,
      hostId,
      createdAt: this.#now(),
      claimed: true,
      acceptedMs: clock.monotonic() - receivedAtMs,
      ...(idempotencyKey === undefined
        ? {}
        : { idempotency: { key: idempotencyKey, requestHash: requestHash(request) } }),
    };
    const entry = { who: owner, action: "create", subject: podId };
    await this.#save(pod, entry, { code: "accepted", message: `The pod was accepted and placed on ${hostId}.` });
    return this.#roster.refine({ ...pod, acceptedMs: clock.monotonic() - receivedAtMs });
  }

  async #save(
    pod: PodRecord,
    entry: Omit<AuditEntry, "at" | "outcome">,
    event: { readonly code: string; readonly message: string; readonly fault?: PodEvent["fault"] },
  ): Promise<PodRecord> {
    const at = this.#now();
    const told: NewEvent = { event: { podId: pod.wanted.podId, at, fault: "none", ...event } };
    await this.#roster.commit({ pods: [pod], events: [told], audit: [{ ...entry, at, outcome: "done" }] });
    return pod;
  }

  /** Writes a refusal into the audit; what is done writes its own entry together with what it changes. */
  async #audited<T>(entry: Omit<AuditEntry, "at" | "outcome">, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const { code } = toAppError(error);
      await this.#roster.commit({ audit: [{ ...entry, at: this.#now(), outcome: code }] });
      throw error;
    }
  }

  #tellingHosts(): TellingHost[] {
    return this.#roster.hosts().map(({ record: { hostId, name }, connected }) => {
      return { hostId, name, connected, told: this.#deps.gpus.of(hostId) };
    });
  }

  #candidates(): Candidate[] {
    return this.#seen().map(({ candidate }) => candidate);
  }

  #seen(): SeenHost[] {
    return seenHosts(this.#roster, this.#deps.gpus, this.#options);
  }

  #find(caller: Caller, podId: PodId): PodRecord {
    const pod = this.#roster.pod(podId);
    if (pod === undefined || !maySee(caller, pod)) throw new AppError("pod-not-found", { details: { podId } });
    return pod;
  }

  #view(pod: PodRecord): PodView {
    return viewOf(pod, this.#roster.isReady(pod.hostId));
  }

  #now(): string {
    return new Date(this.#deps.clock.now()).toISOString();
  }
}
