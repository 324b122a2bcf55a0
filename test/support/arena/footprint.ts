/**
 * Everything on an arena's machine that a pod may leave behind. What is reused on purpose is left out: the spare networks
 * of the pool, while nobody is on them. So are volumes of renters, who keep them.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";

import type { Engine } from "./engine.ts";
import type { Machine } from "./machine.ts";
import { cgroupsOf, foreignProcesses } from "./processes.ts";
import { until } from "./wait.ts";

export type Footprint = Readonly<Record<string, readonly string[]>>;

const POOL_LABEL = "lium.network";
const VOLUME_LABEL = "lium.volume";
const POOL_BRIDGE = /^lium[0-9a-f]{8}$/;
const DOCKER_NETWORKS = "/run/docker/netns/";
const SETTLE_MS = 20_000;
/** As /proc/net/tcp writes a listening socket; a datagram socket that is bound has 07. */
const LISTENING = { tcp: "0A", tcp6: "0A", udp: "07", udp6: "07" };
type Sockets = keyof typeof LISTENING;
const SOCKETS = ["tcp", "tcp6", "udp", "udp6"] as const;

export async function footprint(machine: Machine, engine: Engine): Promise<Footprint> {
  const { docker } = engine;
  const containers = await docker.listContainers({ all: true });
  const networks = await docker.listNetworks();
  const { Volumes: volumes } = await docker.listVolumes();
  const seen = {
    containers: containers.map(({ Names, State }) => `${Names.join()} ${State}`),
    networks: networks.filter(({ Labels }) => Labels?.[POOL_LABEL] === undefined).map(({ Name }) => Name),
    volumes: (volumes ?? []).filter(({ Labels }) => Labels?.[VOLUME_LABEL] === undefined).map(({ Name }) => Name),
    mounts: mounts(machine),
    loops: machine.loops(),
    sockets: SOCKETS.flatMap((kind) => listeningOn(machine, kind).map((port) => `${kind} ${port}`)),
    links: await links(machine),
    processes: foreignProcesses()
      .map(({ name }) => name)
      .filter((name) => name !== "sleep"),
    cgroups: cgroupsOf(machine.cgroup),
    firewall: await firewall(machine),
    files: filesIn(machine.path(machine.disk("state/pods"))),
    secrets: filesIn(machine.path("/run/lium-executor/secrets")),
  };
  return Object.fromEntries(Object.entries(seen).map(([what, names]) => [what, names.toSorted()]));
}

/** Waits until nothing is there that was not there before; what is left after a while is in the failure. */
export async function noLeaks(
  before: Footprint,
  now: () => Promise<Footprint>,
  except: readonly string[],
): Promise<void> {
  await until("everything to be cleared away", SETTLE_MS, async () => {
    const seen = Object.entries(await now()).filter(([what]) => !except.includes(what));
    const left = seen.map(([what, names]) => [what, without(names, before[what] ?? [])] as const);
    assert.deepEqual(Object.fromEntries(left.filter(([, names]) => names.length > 0)), {});
    return true as const;
  });
}

/** Each as often as it is in the first list more than in the second. */
function without(names: readonly string[], others: readonly string[]): string[] {
  const rest = [...others];
  return names.filter((name) => {
    const at = rest.indexOf(name);
    if (at >= 0) rest.splice(at, 1);
    return at < 0;
  });
}

/** Those of this machine: it also sees what was mounted where it came from. Docker clears networks away once a minute. */
function mounts(machine: Machine): string[] {
  return readFileSync(`/proc/${machine.pid}/mounts`, "utf8")
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "")
    .filter((path) => path.startsWith(machine.root) || (path.startsWith("/run/") && !path.startsWith(DOCKER_NETWORKS)));
}

/** The ports of the machine on which something listens. */
export function listeningOn(machine: Machine, kind: Sockets): number[] {
  return readFileSync(`/proc/${machine.pid}/net/${kind}`, "utf8")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[3] === LISTENING[kind])
    .map((fields) => Number.parseInt(fields[1]?.split(":")[1] ?? "", 16));
}

async function links(machine: Machine): Promise<string[]> {
  const { stdout } = await machine.run(["ip", "-json", "link"]);
  const names = (JSON.parse(stdout) as { ifname: string }[]).map(({ ifname }) => ifname);
  return names.filter((name) => !POOL_BRIDGE.test(name));
}

/** What Docker and we wrote for single pods: rules that name a port or an address of a pod. */
async function firewall(machine: Machine): Promise<string[]> {
  const { stdout } = await machine.run(["iptables-save"]);
  return stdout.split("\n").filter((line) => /^-A .*(--dport|--to-destination)/.test(line));
}

/** The path of a process's own view of the files, which the machine sees under that process. */
const SEEN_FROM_OUTSIDE = new RegExp(["^", "proc", "\\d+", "root"].join("/"));

function filesIn(path: string): string[] {
  try {
    return readdirSync(path).map((name) => `${path.replace(SEEN_FROM_OUTSIDE, "")}/${name}`);
  } catch {
    return [];
  }
}
