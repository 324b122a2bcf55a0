/**
 * The firewall of all pods, as text for `nft -f -`: one table that is replaced as a whole. It names no pod. It matches the
 * interfaces of pods' networks by their common prefix, so a new pod is covered before it exists. Pure.
 *
 * All our base chains come before the engine's own, and only ever refuse: what they let pass, the engine still judges.
 */
import { BRIDGE_PREFIX } from "./slots.ts";

export const TABLE = "lium";

export interface FirewallPolicy {
  readonly blockedRanges: readonly string[];
  readonly allowedRanges: readonly string[];
  /** Name servers that pods may ask, wherever they are. */
  readonly nameServers: readonly string[];
  readonly uploadMbitPerSecond: number | undefined;
  readonly downloadMbitPerSecond: number | undefined;
  readonly maxConnections: number;
}

const PODS = `"${BRIDGE_PREFIX}*"`;
/** Answered, so that programs in pods fail at once and do not hang. */
const REFUSE = "reject with icmpx type admin-prohibited";
const BYTES_PER_MBIT = 125_000;

export function rulesetOf(policy: FirewallPolicy): string {
  return [
    // Adding comes first because a table that is not there cannot be deleted. The three are one transaction.
    `table inet ${TABLE}`,
    `delete table inet ${TABLE}`,
    `table inet ${TABLE} {`,
    ...["upload", "download", "connections"].map(perPodSet),
    ...chain("from_pod", fromPod(policy)),
    ...chain("to_pod", toPod(policy)),
    ...chain("to_host", toHost(policy)),
    ...baseChain("forward", [`iifname ${PODS} jump from_pod`, `oifname ${PODS} jump to_pod`]),
    ...baseChain("input", [`iifname ${PODS} jump to_host`]),
    "}",
    "",
  ].join("\n");
}

/** What leaves a pod for anywhere but this host. */
function fromPod(policy: FirewallPolicy): string[] {
  return [
    "meta nfproto ipv6 drop",
    ...limit("upload", "iifname", policy.uploadMbitPerSecond),
    "ct state established,related accept",
    `ct state new add @connections { iifname ct count over ${policy.maxConnections} } drop`,
    ...nameServers(policy),
    `oifname ${PODS} ${REFUSE}`,
    ...ranges(policy.allowedRanges, "accept"),
    // A port that this host publishes, of another pod or of anybody else's container.
    `ct status dnat ${REFUSE}`,
    ...ranges(policy.blockedRanges, REFUSE),
  ];
}

/** What comes to a pod from another machine: answers, and what was sent to a published port. */
function toPod({ downloadMbitPerSecond }: FirewallPolicy): string[] {
  return [
    "meta nfproto ipv6 drop",
    ...limit("download", "oifname", downloadMbitPerSecond),
    "ct state established,related accept",
    "ct status dnat accept",
    "drop",
  ];
}

/** What a pod sends to this host itself, by whichever of its addresses. */
function toHost(policy: FirewallPolicy): string[] {
  return ["ct state established,related accept", ...nameServers(policy), REFUSE];
}

/** By the address that the pod asked: the host may hand the question on to a server in a container. */
function nameServers({ nameServers: addresses }: FirewallPolicy): string[] {
  if (addresses.length === 0) return [];
  return [`meta l4proto { tcp, udp } th dport 53 ct original ip daddr { ${addresses.join(", ")} } accept`];
}

function ranges(cidrs: readonly string[], verdict: string): string[] {
  return cidrs.length === 0 ? [] : [`ip daddr { ${cidrs.join(", ")} } ${verdict}`];
}

/** What goes beyond the rate is dropped, and TCP adapts. The kernel lets through one second's worth at once after a pause. */
function limit(set: string, key: string, mbitPerSecond: number | undefined): string[] {
  if (mbitPerSecond === undefined) return [];
  const bytes = Math.round(mbitPerSecond * BYTES_PER_MBIT);
  return [`add @${set} { ${key} limit rate over ${bytes} bytes/second burst 65536 bytes } drop`];
}

function perPodSet(name: string): string {
  return `  set ${name} { type ifname; size 65535; flags dynamic; }`;
}

function chain(name: string, rules: readonly string[]): string[] {
  return [`  chain ${name} {`, ...rules.map((rule) => `    ${rule}`), "  }"];
}

function baseChain(hook: string, rules: readonly string[]): string[] {
  return chain(hook, [`type filter hook ${hook} priority filter - 10; policy accept;`, ...rules]);
}
