/**
 * All hosts and pods in memory, as the store holds them, and the connections to hosts.
 *
 * What changes is stored first, then seen here, then told to those who watch. Whoever decides on what is here and
 * changes it does both inside `exclusively`, so that no two requests see the same GPU free.
 */
import { createKeyedLock } from "../../common/keyed-lock.ts";
import type { GpuUuid, HostId, Hotkey, PodId } from "../../protocol/ids.ts";
import type { HostRecord, PodRecord } from "../store/records.ts";
import type { Changes, Store } from "../store/store.ts";
import type { HostLink } from "./host-link.ts";
import { hasEnded, type Host } from "./host.ts";
import { Watchers } from "./watchers.ts";

interface Connection {
  readonly link: HostLink;
  readonly ready: boolean;
}

export class Roster {
  readonly #store: Store;
  readonly #hosts = new Map<HostId, HostRecord>();
  readonly #pods = new Map<PodId, PodRecord>();
  /** For each host its pods that are not over. */
  readonly #active = new Map<HostId, Map<PodId, PodRecord>>();
  readonly #requests = new Map<string, PodId>();
  readonly #connections = new Map<HostId, Connection>();
  readonly #reserved = new Map<HostId, ReadonlySet<GpuUuid>>();
  readonly #lock = createKeyedLock();
  readonly #never = new AbortController().signal;
  readonly watchers = new Watchers();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Reads everything from the store; gives the ids of rows that cannot be read. */
  async load(): Promise<readonly string[]> {
    const { hosts, pods, damaged } = await this.#store.load();
    for (const host of hosts) this.#hosts.set(host.hostId, host);
    for (const pod of pods) this.#keep(pod);
    return damaged;
  }

  /** Work must not ask for this again: it would wait for itself. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    return this.#lock.run("fleet", work, this.#never);
  }

  async commit(changes: Changes): Promise<void> {
    await this.#store.write(changes);
    for (const host of changes.hosts ?? []) this.#hosts.set(host.hostId, host);
    for (const pod of changes.pods ?? []) this.#keep(pod);
    const touched = [
      ...(changes.pods ?? []).map(({ wanted }) => wanted.podId),
      ...(changes.events ?? []).map(({ event }) => event.podId),
    ];
    for (const podId of new Set(touched)) this.watchers.tell(podId);
  }

  /** Makes a record more exact in memory alone; the store learns of it with the pod's next change. */
  refine(pod: PodRecord): PodRecord {
    this.#keep(pod);
    return pod;
  }

  /** Stores a new host if the join token is open, and uses the token up. */
  async enrol(host: HostRecord, secretHash: string, nowMs: number): Promise<boolean> {
    const enrolled = await this.#store.enrol(host, secretHash, nowMs);
    if (enrolled) this.#hosts.set(host.hostId, host);
    return enrolled;
  }

  hosts(): Host[] {
    return [...this.#hosts.values()].map((record) => this.#hostOf(record));
  }

  host(hostId: HostId): Host | undefined {
    const record = this.#hosts.get(hostId);
    return record && this.#hostOf(record);
  }

  /** All pods, the newest first. */
  pods(): PodRecord[] {
    return [...this.#pods.values()].toSorted((a, b) => (a.wanted.podId < b.wanted.podId ? 1 : -1));
  }

  pod(podId: PodId): PodRecord | undefined {
    return this.#pods.get(podId);
  }

  podOfRequest(owner: Hotkey, idempotencyKey: string): PodRecord | undefined {
    const podId = this.#requests.get(requestName(owner, idempotencyKey));
    return podId && this.#pods.get(podId);
  }

  /** The pods of a host that are not over. */
  activeOn(hostId: HostId): PodRecord[] {
    return [...(this.#active.get(hostId)?.values() ?? [])];
  }

  /** Keeps GPUs of a host from pods, until the returned function is called. In memory alone. */
  reserve(hostId: HostId, gpus: Iterable<GpuUuid>): () => void {
    const reserved = new Set(gpus);
    this.#reserved.set(hostId, reserved);
    return () => {
      if (this.#reserved.get(hostId) === reserved) this.#reserved.delete(hostId);
    };
  }

  reservedOn(hostId: HostId): ReadonlySet<GpuUuid> {
    return this.#reserved.get(hostId) ?? new Set();
  }

  link(hostId: HostId): HostLink | undefined {
    return this.#connections.get(hostId)?.link;
  }

  isReady(hostId: HostId): boolean {
    return this.#connections.get(hostId)?.ready ?? false;
  }

  /** Gives the connection that was there before. */
  connect(hostId: HostId, link: HostLink): HostLink | undefined {
    const before = this.link(hostId);
    this.#connections.set(hostId, { link, ready: false });
    this.#tellAll(hostId);
    return before;
  }

  markReady(hostId: HostId, link: HostLink): void {
    if (this.link(hostId) !== link) return;
    this.#connections.set(hostId, { link, ready: true });
    this.#tellAll(hostId);
  }

  /** False when another connection has taken the place of this one. */
  disconnect(hostId: HostId, link: HostLink): boolean {
    if (this.link(hostId) !== link) return false;
    this.#connections.delete(hostId);
    this.#tellAll(hostId);
    return true;
  }

  #hostOf(record: HostRecord): Host {
    return { record, connected: this.#connections.has(record.hostId), ready: this.isReady(record.hostId) };
  }

  #keep(pod: PodRecord): void {
    const { podId, owner } = pod.wanted;
    this.#pods.set(podId, pod);
    if (pod.idempotency !== undefined) this.#requests.set(requestName(owner, pod.idempotency.key), podId);
    const active = this.#active.get(pod.hostId) ?? new Map<PodId, PodRecord>();
    this.#active.set(pod.hostId, active);
    if (hasEnded(pod)) active.delete(podId);
    else active.set(podId, pod);
  }

  #tellAll(hostId: HostId): void {
    for (const podId of this.#active.get(hostId)?.keys() ?? []) this.watchers.tell(podId);
  }
}

function requestName(owner: Hotkey, idempotencyKey: string): string {
  return `${owner} ${idempotencyKey}`;
}
