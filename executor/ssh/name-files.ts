/**
 * The files in which a pod's programs look names up. They are ours and read-only in the pod: the engine's own are writable
 * and lie on the host's disk, where no quota of the pod counts them.
 */

/** In the pod's folder on the host. */
export const NAMES_DIR = "names";

interface NameFile {
  readonly name: string;
  readonly podPath: string;
}

export const NAME_FILES: readonly NameFile[] = ["hostname", "hosts", "resolv.conf"].map((name) => ({
  name,
  podPath: `/etc/${name}`,
}));

export interface Names {
  readonly hostname: string;
  /** The engine's own server, which every network but the engine's shared one has, when left out. */
  readonly nameservers?: readonly string[];
}

const ENGINE_DNS = "127.0.0.11";

/** The name that the pod's own programs know it by. */
export function podHostname(podId: string): string {
  return `pod-${podId.slice(-12)}`;
}

/** What each file holds, by its name. */
export function nameFileTexts({ hostname, nameservers = [ENGINE_DNS] }: Names): Readonly<Record<string, string>> {
  const hosts = [
    "127.0.0.1 localhost",
    "::1 localhost ip6-localhost ip6-loopback",
    "ff02::1 ip6-allnodes",
    "ff02::2 ip6-allrouters",
    `127.0.1.1 ${hostname}`,
  ];
  const resolver = [...nameservers.map((address) => `nameserver ${address}`), "options edns0 trust-ad ndots:0"];
  return { hostname: text([hostname]), hosts: text(hosts), "resolv.conf": text(resolver) };
}

function text(lines: readonly string[]): string {
  return `${lines.join("\n")}\n`;
}
