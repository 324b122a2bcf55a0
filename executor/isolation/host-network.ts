/**
 * What this host's network is like: which ranges it has routes and addresses in, which interfaces there are and which
 * name servers it asks. Read from the kernel and the resolver's files, so no program runs.
 */
import { readFile } from "node:fs/promises";
import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";

import { formatAddress } from "./cidr.ts";

/** A range of addresses and the interface that this host reaches it through. */
export interface HostRoute {
  readonly cidr: string;
  readonly interfaceName: string;
}

export interface HostNetwork {
  readonly routes: readonly HostRoute[];
  readonly interfaces: ReadonlySet<string>;
  /** IPv4 addresses of the name servers that containers ask; those on the loopback, which the engine asks for them, are left out. */
  readonly nameServers: readonly string[];
}

/** The second is what the engine reads where the first names only the local stub of systemd-resolved. */
const RESOLVER_FILES = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"];

/** `proc`: the folder of a process in that network. */
export async function readHostNetwork(proc = "/proc/self"): Promise<HostNetwork> {
  const [routes, devices, ...resolvers] = await Promise.all([
    readFile(`${proc}/net/route`, "utf8"),
    readFile(`${proc}/net/dev`, "utf8"),
    ...RESOLVER_FILES.map((path) => readFile(`${proc}/root${path}`, "utf8").catch(() => "")),
  ]);
  return {
    routes: [...parseRoutes(routes), ...routesOfInterfaces(networkInterfaces())],
    interfaces: new Set(parseInterfaces(devices)),
    nameServers: [...new Set(resolvers.flatMap(parseNameServers))],
  };
}

/** The kernel's main table; the default route is left out, for it says nothing about who uses what. */
export function parseRoutes(table: string): HostRoute[] {
  return table.split("\n").flatMap((line) => {
    const [interfaceName, destination, , , , , , mask] = line.trim().split(/\s+/);
    if (interfaceName === undefined || !/^[0-9A-F]{8}$/.test(destination ?? "") || mask === undefined) return [];
    const prefix = Number.parseInt(mask, 16).toString(2).replaceAll("0", "").length;
    if (prefix === 0) return [];
    return [{ interfaceName, cidr: `${littleEndianAddress(destination ?? "")}/${prefix}` }];
  });
}

/** The kernel prints the four bytes as one number of this machine: the address's last byte comes first. */
function littleEndianAddress(hex: string): string {
  return formatAddress(Buffer.from(hex, "hex").readUInt32LE());
}

function routesOfInterfaces(all: NodeJS.Dict<NetworkInterfaceInfo[]>): HostRoute[] {
  return Object.entries(all).flatMap(([interfaceName, addresses = []]) =>
    addresses.flatMap(({ family, cidr }) => (family === "IPv4" && cidr !== null ? [{ interfaceName, cidr }] : [])),
  );
}

/** Names of all interfaces in our network namespace, up or down. */
export function parseInterfaces(devices: string): string[] {
  return devices.split("\n").flatMap((line) => /^\s*([^\s:]+):/.exec(line)?.[1] ?? []);
}

export function parseNameServers(resolvConf: string): string[] {
  return [...resolvConf.matchAll(/^\s*nameserver\s+(\d{1,3}(?:\.\d{1,3}){3})\s*$/gm)].flatMap(([, address]) =>
    address === undefined || address.startsWith("127.") ? [] : [address],
  );
}
