/**
 * Host ports for pods: a range of this host's ports, and how a router in front of it shows them to the world. Pure.
 */
import { createHash } from "node:crypto";

import { portKey } from "./claims.ts";
import type { PortBinding } from "./state.ts";

/** `count` ports from `internal` on, seen from outside as `external` and following; the same numbers without a router. */
export interface PortRange {
  readonly internal: number;
  readonly external: number;
  readonly count: number;
}

interface PortRequest {
  readonly containerPort: number;
  readonly protocol: "tcp" | "udp";
}

export interface PortChoice {
  /** Whose they will be. */
  readonly holder: string;
  readonly requests: readonly PortRequest[];
  readonly ranges: readonly PortRange[];
  /** Whether a key of `portKey` may not be given out. */
  readonly isTaken: (key: string) => boolean;
}

/**
 * A free host port for every request, or undefined when the ranges have too few. The search begins at a place that
 * depends on the holder, so that a port just freed is not given to the next pod at once: its old renter may still knock.
 */
export function choosePorts(choice: PortChoice): PortBinding[] | undefined {
  const all = choice.ranges.flatMap((range) =>
    Array.from({ length: range.count }, (_, index) => range.internal + index),
  );
  const offset = createHash("sha256").update(choice.holder).digest().readUInt32BE() % Math.max(all.length, 1);
  const candidates = [...all.slice(offset), ...all.slice(0, offset)];
  const bindings: PortBinding[] = [];
  const chosen = new Set<string>();
  for (const request of choice.requests) {
    const hostPort = candidates.find((port) => {
      const key = portKey(port, request.protocol);
      return !chosen.has(key) && !choice.isTaken(key);
    });
    if (hostPort === undefined) return undefined;
    chosen.add(portKey(hostPort, request.protocol));
    bindings.push({ ...request, hostPort });
  }
  return bindings;
}

/** The port that renters use for a host port. */
export function publicPort(hostPort: number, ranges: readonly PortRange[]): number {
  const range = ranges.find(({ internal, count }) => hostPort >= internal && hostPort < internal + count);
  return range === undefined ? hostPort : range.external + (hostPort - range.internal);
}
