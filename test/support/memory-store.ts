/**
 * A Store that forgets when the process ends. It checks and copies records as a database would: by writing them down.
 */
import { HostRecord, PodRecord } from "../../agent/store/records.ts";
import type { AuditEntry, Changes, JoinTokenRecord, NewEvent, Store, Stored } from "../../agent/store/store.ts";
import type { PodId } from "../../protocol/ids.ts";
import { PodEvent } from "../../protocol/pod.ts";

export class MemoryStore implements Store {
  readonly #hosts = new Map<string, string>();
  readonly #pods = new Map<string, string>();
  readonly #events: PodEvent[] = [];
  readonly #told = new Set<string>();
  readonly #tokens = new Map<string, number>();
  readonly #nonces = new Map<string, number>();
  readonly #audit: AuditEntry[] = [];

  async load(): Promise<Stored> {
    return {
      hosts: sorted(this.#hosts).map((text) => HostRecord.parse(JSON.parse(text))),
      pods: sorted(this.#pods).map((text) => PodRecord.parse(JSON.parse(text))),
      damaged: [],
    };
  }

  async write({ hosts = [], pods = [], events = [], audit = [] }: Changes): Promise<void> {
    this.#refuseSecondKey(pods);
    for (const host of hosts) this.#hosts.set(host.hostId, JSON.stringify(host));
    for (const pod of pods) this.#pods.set(pod.wanted.podId, JSON.stringify(pod));
    for (const event of events) this.#saveEvent(event);
    this.#audit.unshift(...audit.toReversed());
  }

  async eventsOf(podId: PodId, after: number, limit: number): Promise<PodEvent[]> {
    return this.#events.filter((event) => event.podId === podId && event.cursor > after).slice(0, limit);
  }

  async addJoinToken({ secretHash, expiresAtMs }: JoinTokenRecord): Promise<void> {
    this.#tokens.set(secretHash, expiresAtMs);
  }

  async enrol(host: HostRecord, secretHash: string, nowMs: number): Promise<boolean> {
    if ((this.#tokens.get(secretHash) ?? 0) <= nowMs) return false;
    this.#tokens.delete(secretHash);
    this.#hosts.set(host.hostId, JSON.stringify(host));
    return true;
  }

  async remember(hotkey: string, nonce: bigint, expiresAtMs: number): Promise<boolean> {
    const key = `${hotkey} ${nonce}`;
    if (this.#nonces.has(key)) return false;
    this.#nonces.set(key, expiresAtMs);
    return true;
  }

  async readAudit(limit: number): Promise<AuditEntry[]> {
    return this.#audit.slice(0, limit);
  }

  async prune(nowMs: number): Promise<void> {
    for (const kept of [this.#nonces, this.#tokens]) {
      for (const [key, expiresAtMs] of kept) if (expiresAtMs <= nowMs) kept.delete(key);
    }
  }

  async close(): Promise<void> {}

  #saveEvent({ event, from }: NewEvent): void {
    const origin = `${from?.hostId} ${from?.cursor}`;
    if (from !== undefined && this.#told.has(origin)) return;
    this.#told.add(origin);
    this.#events.push(PodEvent.parse({ ...event, cursor: this.#events.length + 1 }));
  }

  #refuseSecondKey(pods: readonly PodRecord[]): void {
    const keyOf = ({ wanted, idempotency }: PodRecord): string => `${wanted.owner} ${idempotency?.key}`;
    const others = [...this.#pods.values()].map((text) => PodRecord.parse(JSON.parse(text)));
    for (const pod of pods) {
      const rival = others.find((other) => other.wanted.podId !== pod.wanted.podId && keyOf(other) === keyOf(pod));
      if (pod.idempotency !== undefined && rival !== undefined) throw new Error("this idempotency key was used before");
    }
  }
}

function sorted(texts: ReadonlyMap<string, string>): string[] {
  return [...texts].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, text]) => text);
}
