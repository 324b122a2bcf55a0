/**
 * The `isolation` section of executor.toml: what pods may reach, how fast, and what they run in.
 * A machine has one firewall for pods: executors that share a machine need the same settings here.
 */
import { z } from "zod";

import { Cidr, parseCidr } from "./cidr.ts";

/**
 * What is not the public internet, by IANA's registry of special addresses. In it lie the metadata services of clouds
 * (169.254.0.0/16), the provider's own machines (private and carrier-grade ranges) and everything that is not one host.
 */
const BLOCKED_RANGES: readonly string[] = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/3",
];

/** Counted by the kernel in 64 bits of nanoseconds: faster than any network card of today, slower than an overflow. */
const MbitPerSecond = z.number().min(1).max(1_000_000);

export const IsolationConfig = z.strictObject({
  /** Pods' own addresses, cut into networks of eight; must not be in use around this host. */
  pool: Cidr.refine((pool) => parseCidr(pool).prefix >= 8 && parseCidr(pool).prefix <= 26, {
    error: "a pool is between a /8 and a /26",
  }).default("10.213.0.0/16"),
  /** Networks that are kept ready, so that a pod's start waits for none. */
  spareNetworks: z.int().min(0).max(64).default(2),
  /** Where pods get no connection to. */
  blockedRanges: z.array(Cidr).default([...BLOCKED_RANGES]),
  /** Exceptions from the blocked ranges, such as a package mirror; this host and other pods stay out of reach. */
  allowedRanges: z.array(Cidr).default([]),
  /** Name servers of pods; those of this host when empty. */
  dns: z.array(z.ipv4()).default([]),
  /** Of each pod, towards and from other machines; without limit when left out. */
  uploadMbitPerSecond: MbitPerSecond.optional(),
  downloadMbitPerSecond: MbitPerSecond.optional(),
  /** Connections that one pod may have open to the outside: the host's table of them is shared by all. */
  maxConnections: z.int().min(64).max(1_000_000).default(16_384),
  /** The engine's runtime that pods run in, by its name in the engine's configuration; the engine's default when left out. */
  runtime: z
    .string()
    .regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}$/)
    .optional(),
});
export type IsolationConfig = z.infer<typeof IsolationConfig>;
