/**
 * Who listens on ports of this host, from the kernel's own tables. A port that is in no table is free.
 */
import { join } from "node:path";

import type { HostPort, PortHolder } from "./host-processes.ts";
import { findAmong, readNumbers, readPids, readTarget, readText } from "./proc-files.ts";
import { type ListeningSocket, parseSockets, parseStat } from "./proc-text.ts";

const TABLES = [
  { file: "tcp", protocol: "tcp" },
  { file: "tcp6", protocol: "tcp" },
  { file: "udp", protocol: "udp" },
  { file: "udp6", protocol: "udp" },
] as const;

interface Owner {
  readonly pid: number;
  readonly command: string;
}

/** `netDir`: /proc/net, or that of a process in another network. */
export async function findPortHolders(
  { procRoot, netDir }: { readonly procRoot: string; readonly netDir: string },
  ports: readonly HostPort[],
  signal: AbortSignal,
): Promise<PortHolder[]> {
  const sockets = (await readSockets(netDir)).filter((socket) =>
    ports.some(({ hostPort, protocol }) => hostPort === socket.port && protocol === socket.protocol),
  );
  if (sockets.length === 0) return [];
  const owners = await findOwners(procRoot, new Set(sockets.map(({ inode }) => inode)), signal);
  const holders = sockets.map(({ port, protocol, inode }) => {
    const owner = owners.get(inode);
    return { hostPort: port, protocol, pid: owner?.pid, command: owner?.command ?? "" };
  });
  return [...new Map(holders.map((holder) => [JSON.stringify(holder), holder])).values()];
}

async function readSockets(netDir: string): Promise<ListeningSocket[]> {
  const tables = await Promise.all(
    TABLES.map(async ({ file, protocol }) => parseSockets((await readText(join(netDir, file))) ?? "", protocol)),
  );
  return tables.flat();
}

/** Every process is asked for its open files: slow, so it is done only when a port is held. */
async function findOwners(
  procRoot: string,
  inodes: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<Map<string, Owner>> {
  const look = async (pid: number): Promise<[string, Owner][] | undefined> => {
    const dir = join(procRoot, `${pid}`);
    const held: string[] = [];
    for (const fd of [0, ...(await readNumbers(join(dir, "fd")))]) {
      const inode = /^socket:\[(\d+)\]$/.exec((await readTarget(join(dir, "fd", `${fd}`))) ?? "")?.[1];
      if (inode !== undefined && inodes.has(inode)) held.push(inode);
    }
    if (held.length === 0) return undefined;
    const command = parseStat((await readText(join(dir, "stat"))) ?? "")?.command ?? "";
    return held.map((inode) => [inode, { pid, command }]);
  };
  return new Map((await findAmong(await readPids(procRoot), look, signal)).flat());
}
