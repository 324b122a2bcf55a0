/**
 * What hosts tell, taken into the roster: stored first, acknowledged then. Reports come again and again, so every one
 * is harmless when repeated. A report that lacks a pod says nothing about it: absence never ends anything.
 */
import type { Clock } from "../../common/clock.ts";
import type { Logger } from "../../common/logger.ts";
import { AppError } from "../../protocol/errors.ts";
import type { HostFacts } from "../../protocol/host.ts";
import type { HostId, PodId } from "../../protocol/ids.ts";
import { isOver, type PodEvent, type PodStatus, type WantedPod } from "../../protocol/pod.ts";
import type { HostRecord, PodRecord } from "../store/records.ts";
import type { NewEvent } from "../store/store.ts";
import type { HostLink } from "./host-link.ts";
import type { Roster } from "./roster.ts";

export interface HostReportsDeps {
  readonly roster: Roster;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A host that has proved its key. */
export interface Newcomer {
  readonly hostId: HostId;
  readonly name: string;
  readonly publicKey: string;
  /** SHA-256 of the join secret that it brought, in lower-case hex. */
  readonly secretHash: string | undefined;
}

export interface PodReport {
  readonly status: PodStatus;
  readonly wanted?: WantedPod | undefined;
}

export class HostReports {
  readonly #roster: Roster;
  readonly #clock: Clock;
  readonly #log: Logger;

  constructor({ roster, clock, log }: HostReportsDeps) {
    this.#roster = roster;
    this.#clock = clock;
    this.#log = log;
  }

  /** Lets a known host in, and an unknown one that brings an open join token. Throws `join-token-invalid` or `link-refused`. */
  admit({ secretHash, ...host }: Newcomer): Promise<void> {
    return this.#roster.exclusively(async () => {
      const at = this.#now();
      const known = this.#roster.host(host.hostId)?.record;
      if (known !== undefined) return this.#roster.commit({ hosts: [{ ...known, name: host.name, lastSeenAt: at }] });
      if (secretHash === undefined) throw new AppError("link-refused", { message: "This host is not enrolled here." });
      const record: HostRecord = { ...host, enrolledAt: at, lastSeenAt: at, eventCursor: 0 };
      if (!(await this.#roster.enrol(record, secretHash, this.#clock.now()))) throw new AppError("join-token-invalid");
      await this.#roster.commit({
        audit: [{ at, who: host.hostId, action: "enrol", subject: host.hostId, outcome: "done" }],
      });
      this.#log.info("a host was enrolled", { hostId: host.hostId, hostName: host.name });
    });
  }

  /** Gives the host's cursor of the newest event that is stored. A connection that was there before is let go. */
  connected(hostId: HostId, link: HostLink): number {
    const before = this.#roster.connect(hostId, link);
    if (before !== undefined) this.#log.warn("a second connection of a host replaces the first", { hostId });
    before?.replace();
    return this.#roster.host(hostId)?.record.eventCursor ?? 0;
  }

  async disconnected(hostId: HostId, link: HostLink): Promise<void> {
    if (!this.#roster.disconnect(hostId, link)) return;
    await this.#change(hostId, (host) => ({ ...host, lastSeenAt: this.#now() }));
  }

  facts(hostId: HostId, facts: HostFacts): Promise<void> {
    return this.#change(hostId, (host) => ({ ...host, facts }));
  }

  /** Takes statuses in. Once the host has told all of them, it is sent what it does not have yet. */
  statuses(hostId: HostId, link: HostLink, told: { complete: boolean; pods: readonly PodReport[] }): Promise<void> {
    return this.#roster.exclusively(async () => {
      const merged = told.pods.flatMap((report) => this.#merge(hostId, report) ?? []);
      const events = merged.flatMap(({ event }) => event ?? []);
      if (merged.length > 0) await this.#roster.commit({ pods: merged.map(({ pod }) => pod), events });
      if (!told.complete) return;
      this.#roster.markReady(hostId, link);
      const heard = new Map<PodId, number>(told.pods.map(({ status }) => [status.podId, status.revision]));
      const wanted = this.#roster
        .activeOn(hostId)
        .filter(isWanted)
        .map((pod) => pod.wanted);
      link.want(wanted.filter(({ podId, revision }) => (heard.get(podId) ?? 0) < revision));
    });
  }

  /** Stores events that are new and gives the host's cursor up to which it may forget them. */
  events(hostId: HostId, told: readonly PodEvent[]): Promise<number> {
    return this.#roster.exclusively(async () => {
      const host = this.#roster.host(hostId)?.record;
      if (host === undefined) return 0;
      const fresh = told.filter(({ cursor }) => cursor > host.eventCursor);
      const eventCursor = Math.max(host.eventCursor, ...fresh.map(({ cursor }) => cursor));
      if (eventCursor === host.eventCursor) return eventCursor;
      const events = fresh.filter(({ podId }) => this.#roster.pod(podId)?.hostId === hostId);
      await this.#roster.commit({
        hosts: [{ ...host, eventCursor }],
        events: events.map(({ cursor, ...event }) => ({ event, from: { hostId, cursor } })),
      });
      return eventCursor;
    });
  }

  /** The record with what the host says, or nothing when that changes nothing or is not the host's to say. */
  #merge(hostId: HostId, { status, wanted }: PodReport): { pod: PodRecord; event?: NewEvent } | undefined {
    const { podId } = status;
    const known = this.#roster.pod(podId);
    if ((known !== undefined && known.hostId !== hostId) || (wanted !== undefined && wanted.podId !== podId)) {
      this.#log.warn("a host reports a pod that is not on it; the report is ignored", { hostId, podId });
      return undefined;
    }
    if (known === undefined) return this.#unclaimed(hostId, status, wanted);
    const pod = { ...known, status, wanted: newerOf(known.wanted, wanted) };
    return JSON.stringify(pod) === JSON.stringify(known) ? undefined : { pod };
  }

  #unclaimed(
    hostId: HostId,
    status: PodStatus,
    wanted: WantedPod | undefined,
  ): { pod: PodRecord; event: NewEvent } | undefined {
    const { podId } = status;
    if (isOver(status.phase)) return undefined;
    if (wanted === undefined) {
      this.#log.warn("a host reports an unknown pod without saying what it is", { hostId, podId });
      return undefined;
    }
    this.#log.warn("a host has a pod that nobody asked for here; it is left alone", { hostId, podId });
    const at = this.#now();
    const message = "The host has this pod, and this agent did not ask for it. It is left alone.";
    return {
      pod: { wanted, hostId, createdAt: at, claimed: false, acceptedMs: 0, status },
      event: { event: { podId, at, code: "unclaimed", message, fault: "none" } },
    };
  }

  #change(hostId: HostId, change: (host: HostRecord) => HostRecord): Promise<void> {
    return this.#roster.exclusively(async () => {
      const host = this.#roster.host(hostId)?.record;
      if (host !== undefined) await this.#roster.commit({ hosts: [change(host)] });
    });
  }

  #now(): string {
    return new Date(this.#clock.now()).toISOString();
  }
}

/** A host that knows a newer wish than we do got it from us: our store is a restored backup. */
function newerOf(ours: WantedPod, theirs: WantedPod | undefined): WantedPod {
  return theirs !== undefined && theirs.revision > ours.revision && theirs.owner === ours.owner ? theirs : ours;
}

/** A pod that nobody asked for is left alone, unless the operator has ended it. */
function isWanted({ claimed, wanted }: PodRecord): boolean {
  return claimed || wanted.goal === "ended";
}
