/**
 * What must survive a restart of the agent, as a port. Every write is durable when its promise resolves, whole or not
 * at all. Secrets are never stored in clear: join secrets as hashes, renters' sealed values as the caller sent them.
 */
import type { HostId, PodId } from "../../protocol/ids.ts";
import type { PodEvent } from "../../protocol/pod.ts";
import type { HostRecord, PodRecord } from "./records.ts";

/** An event before the store gives it its place in the order of this agent's events. */
export interface NewEvent {
  readonly event: Omit<PodEvent, "cursor">;
  /** Where it came from; an event of a host is stored once, however often it is told. */
  readonly from?: { readonly hostId: HostId; readonly cursor: number };
}

/** Who changed what, when, and what came of it. */
export interface AuditEntry {
  readonly at: string;
  /** A hotkey, a host id, or `operator`. */
  readonly who: string;
  readonly action: string;
  /** The pod or host that it was about. */
  readonly subject: string;
  /** `done`, or the code of the refusal. */
  readonly outcome: string;
}

/** Stored together, or not at all. Hosts and pods replace what was stored of them. */
export interface Changes {
  readonly hosts?: readonly HostRecord[];
  readonly pods?: readonly PodRecord[];
  readonly events?: readonly NewEvent[];
  readonly audit?: readonly AuditEntry[];
}

export interface Stored {
  readonly hosts: readonly HostRecord[];
  readonly pods: readonly PodRecord[];
  /** Ids of rows that could not be read and were set aside. */
  readonly damaged: readonly string[];
}

export interface JoinTokenRecord {
  /** SHA-256 of the secret in lower-case hex. */
  readonly secretHash: string;
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: number;
}

/** Who signed what before: the defence against replays. */
export interface NonceStore {
  /** False when this hotkey used this nonce before. Kept until `expiresAtMs`, milliseconds since the epoch. */
  remember(hotkey: string, nonce: bigint, expiresAtMs: number): Promise<boolean>;
}

export interface Store extends NonceStore {
  /** Reads everything, and moves rows that cannot be read out of the way, for somebody to look at. */
  load(): Promise<Stored>;
  write(changes: Changes): Promise<void>;
  /** Events of one pod after a cursor, the oldest first. */
  eventsOf(podId: PodId, after: number, limit: number): Promise<PodEvent[]>;
  addJoinToken(token: JoinTokenRecord): Promise<void>;
  /** Uses the token up and stores the host in one step. False, and nothing is stored, when no such token is open. */
  enrol(host: HostRecord, secretHash: string, nowMs: number): Promise<boolean>;
  /** The newest entries first. */
  readAudit(limit: number): Promise<AuditEntry[]>;
  /** Forgets nonces and join tokens that have expired. */
  prune(nowMs: number): Promise<void>;
  close(): Promise<void>;
}
