/**
 * The agent's addresses as others write them, from what its listeners are bound to.
 */
import { randomInt } from "node:crypto";
import { createServer, isIPv6, type Server } from "node:net";

import { listenOn } from "../common/listen.ts";
import { guessOwnAddress } from "../common/own-address.ts";
import { AppError } from "../protocol/errors.ts";

/** Below the ports that systems hand out for outgoing connections, and that pods are published on. */
const FREE_PORTS = { first: 20_000, count: 10_000 };
const TRIES = 50;

export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.");
}

/** A listener on all addresses is named by one of them. */
export function urlOf(scheme: "http" | "wss", { host, port }: { host: string; port: number }): string {
  const name = host === "0.0.0.0" || host === "::" ? guessOwnAddress() : host;
  return `${scheme}://${isIPv6(name) ? `[${name}]` : name}:${port}`;
}

/** So many different ports that nobody listens on now. */
export async function findFreePorts(host: string, count: number): Promise<number[]> {
  const probes: Server[] = [];
  const ports: number[] = [];
  try {
    for (let attempt = 0; ports.length < count && attempt < TRIES; attempt += 1) {
      const probe = createServer();
      probes.push(probe);
      const port = FREE_PORTS.first + randomInt(FREE_PORTS.count);
      const isFree = await listenOn(probe, { host, port }).then(
        () => true,
        () => false,
      );
      if (isFree) ports.push(port);
    }
  } finally {
    for (const probe of probes) probe.close();
  }
  if (ports.length === count) return ports;
  throw new AppError("ports-exhausted", { message: `No port is free on ${host}.`, details: { ...FREE_PORTS } });
}
