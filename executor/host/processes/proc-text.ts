/**
 * What the kernel's files under /proc say, as values. Pure. A text that cannot be read gives undefined, never a guess:
 * what is decided from it is whom to kill.
 */

/** One process or thread, from its `stat`. */
export interface Stat {
  readonly command: string;
  /** One letter: R runs, S sleeps, D sleeps and hears no signal, T is stopped, Z is dead and not yet buried. */
  readonly state: string;
  /** Since boot, in clock ticks: together with the pid it names one process. */
  readonly startTicks: number;
}

/** The path of a process's control group, in one hierarchy. */
export interface GroupPath {
  /** Empty for the unified hierarchy (version 2). */
  readonly controllers: readonly string[];
  readonly path: string;
}

/** A socket that takes what comes from outside. */
export interface ListeningSocket {
  readonly protocol: "tcp" | "udp";
  readonly port: number;
  readonly inode: string;
}

const CONTAINER_ID = /^[0-9a-f]{64}$/;
/** Fields after the command: state is the 1st, starttime the 20th. */
const START_FIELD = 19;
const TCP_LISTEN = "0A";
/** A UDP socket that is bound and not connected to anybody. */
const UDP_UNCONNECTED = "07";

/** Names of programs may hold blanks and parentheses; the last parenthesis ends them. */
export function parseStat(text: string): Stat | undefined {
  const open = text.indexOf("(");
  const close = text.lastIndexOf(")");
  if (open < 0 || close < open) return undefined;
  const fields = text
    .slice(close + 1)
    .trim()
    .split(" ");
  const state = fields[0] ?? "";
  const startTicks = Number(fields[START_FIELD] ?? Number.NaN);
  if (state.length !== 1 || !Number.isSafeInteger(startTicks)) return undefined;
  return { command: text.slice(open + 1, close), state, startTicks };
}

/** Dead: it holds nothing any more and only waits to be noticed. */
export function isDead({ state }: Stat): boolean {
  return state === "Z" || state === "X" || state === "x";
}

/**
 * The control groups of a container that a process is in; none for every other process. Engines name the group by the
 * container's whole id, as `/docker/<id>` or `docker-<id>.scope`. An id that is not whole matches nobody.
 */
export function groupsOfContainer(cgroupText: string, containerId: string): GroupPath[] {
  if (!CONTAINER_ID.test(containerId)) return [];
  return cgroupText.split("\n").flatMap((line) => {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined) return [];
    const isTheirs = path.split("/").some((part) => part.split(/[-.]/).includes(containerId));
    return isTheirs ? [{ controllers: controllers.split(",").filter(Boolean), path }] : [];
  });
}

/** Whether an argument list is that of the shim which keeps this container; its short-lived helpers are not. */
export function isShimOf(argv: readonly string[], containerId: string): boolean {
  if (!CONTAINER_ID.test(containerId)) return false;
  const program = argv[0]?.split("/").at(-1) ?? "";
  if (!program.startsWith("containerd-shim")) return false;
  if (argv.includes("delete") || argv.includes("start")) return false;
  return valueOf(argv, "-id") === containerId && valueOf(argv, "-namespace") === "moby";
}

function valueOf(argv: readonly string[], option: string): string | undefined {
  const at = argv.indexOf(option);
  return at < 0 ? undefined : argv[at + 1];
}

/** The sockets of /proc/net/tcp, tcp6, udp or udp6 that strangers can reach. */
export function parseSockets(text: string, protocol: "tcp" | "udp"): ListeningSocket[] {
  const open = protocol === "tcp" ? TCP_LISTEN : UDP_UNCONNECTED;
  return text
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const [, local = "", , state, , , , , , inode] = line.trim().split(/\s+/);
      const port = Number.parseInt(local.split(":").at(-1) ?? "", 16);
      return state === open && inode !== undefined && Number.isInteger(port) ? [{ protocol, port, inode }] : [];
    });
}
