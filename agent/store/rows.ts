/**
 * Between records and rows of tables. A row that cannot be read gives undefined, never a guess; what a host tells again
 * (its facts, a pod's status) is left out where it cannot be read. Fields that a newer version added are left out as well.
 */
import type { Insertable, Selectable } from "kysely";
import type { z } from "zod";

import { parseKnown, readKnown } from "../../common/lenient.ts";
import { HostFacts } from "../../protocol/host.ts";
import { PodStatus } from "../../protocol/pod.ts";
import { HostRecord, PodRecord } from "./records.ts";
import type { Tables } from "./schema.ts";

export function hostRow(host: HostRecord): Insertable<Tables["hosts"]> {
  return {
    host_id: host.hostId,
    name: host.name,
    public_key: host.publicKey,
    enrolled_at: host.enrolledAt,
    last_seen_at: host.lastSeenAt ?? null,
    facts: host.facts === undefined ? null : JSON.stringify(host.facts),
    event_cursor: host.eventCursor,
  };
}

export function hostOf(row: Selectable<Tables["hosts"]>): HostRecord | undefined {
  const facts = readKnown(HostFacts, row.facts);
  return read(HostRecord, () => ({
    hostId: row.host_id,
    name: row.name,
    publicKey: row.public_key,
    enrolledAt: row.enrolled_at,
    ...(row.last_seen_at === null ? {} : { lastSeenAt: row.last_seen_at }),
    ...(facts === undefined ? {} : { facts }),
    eventCursor: row.event_cursor,
  }));
}

export function podRow(pod: PodRecord): Insertable<Tables["pods"]> {
  return {
    pod_id: pod.wanted.podId,
    host_id: pod.hostId,
    owner: pod.wanted.owner,
    created_at: pod.createdAt,
    claimed: pod.claimed ? 1 : 0,
    accepted_ms: pod.acceptedMs,
    idempotency_key: pod.idempotency?.key ?? null,
    request_hash: pod.idempotency?.requestHash ?? null,
    wanted: JSON.stringify(pod.wanted),
    status: pod.status === undefined ? null : JSON.stringify(pod.status),
  };
}

export function podOf(row: Selectable<Tables["pods"]>): PodRecord | undefined {
  const status = readKnown(PodStatus, row.status);
  return read(PodRecord, () => ({
    wanted: JSON.parse(row.wanted),
    hostId: row.host_id,
    createdAt: row.created_at,
    claimed: row.claimed === 1,
    acceptedMs: row.accepted_ms,
    ...(row.idempotency_key === null || row.request_hash === null
      ? {}
      : { idempotency: { key: row.idempotency_key, requestHash: row.request_hash } }),
    ...(status === undefined ? {} : { status }),
  }));
}

function read<Schema extends z.ZodType>(schema: Schema, take: () => unknown): z.output<Schema> | undefined {
  try {
    return parseKnown(schema, take());
  } catch {
    return undefined;
  }
}
