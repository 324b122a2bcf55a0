/**
 * The processes that this one can see, told apart by the network that they live in; and the cgroups of an arena, which no
 * namespace takes along when it ends.
 */
import { readdirSync, readFileSync, readlinkSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly name: string;
  readonly args: readonly string[];
  /** Names the network namespace. */
  readonly network: string;
}

const CGROUPS = "/sys/fs/cgroup";

/** What runs now; zombies are left out. */
export function processes(): Process[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => orNothing(() => readProcess(Number(pid))));
}

/** All that do not live in our own network: the machine and its pods. */
export function foreignProcesses(): Process[] {
  const own = readlinkSync("/proc/self/ns/net");
  return processes().filter(({ network }) => network !== own);
}

export function childrenOf(pid: number): Process[] {
  return processes().filter(({ parent }) => parent === pid);
}

/** All that share the process namespace of one, itself first. */
export function samePids(pid: number): Process[] {
  const namespace = orNothing(() => [readlinkSync(`/proc/${pid}/ns/pid`)]);
  const isHere = (other: number): boolean =>
    orNothing(() => [readlinkSync(`/proc/${other}/ns/pid`)]).join() === namespace.join();
  return processes()
    .filter((process) => isHere(process.pid))
    .toSorted((a, b) => Number(b.pid === pid) - Number(a.pid === pid));
}

/** Signals a process; one that is gone already is no failure. */
export function signal(pid: number, name: NodeJS.Signals): void {
  orNothing(() => [process.kill(pid, name)]);
}

/** The cgroups below an arena's own one, as paths below it. */
export function cgroupsOf(arena: string): string[] {
  return hierarchies().flatMap((hierarchy) =>
    orNothing(() =>
      readdirSync(join(hierarchy, arena), { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => name),
    ),
  );
}

/** Lets go of what is frozen, in both versions of cgroups: what is frozen cannot even be killed. */
export function thawAll(arena: string): void {
  for (const name of cgroupsOf(arena)) {
    orNothing(() => [writeFileSync(join(CGROUPS, "freezer", arena, name, "freezer.state"), "THAWED")]);
    orNothing(() => [writeFileSync(join(CGROUPS, arena, name, "cgroup.freeze"), "0")]);
  }
}

/** Removes an arena's cgroups as far as they are empty. */
export function removeCgroups(arena: string): void {
  for (const hierarchy of hierarchies()) removeTree(join(hierarchy, arena));
}

/** The arenas that have cgroups on this machine. */
export function arenasWithCgroups(prefix: string): string[] {
  const found = hierarchies().flatMap((hierarchy) => orNothing(() => readdirSync(hierarchy)));
  return [...new Set(found)].filter((name) => name.startsWith(prefix));
}

function hierarchies(): string[] {
  const below = orNothing(() => readdirSync(CGROUPS, { withFileTypes: true }));
  return [CGROUPS, ...below.filter((entry) => entry.isDirectory()).map(({ name }) => join(CGROUPS, name))];
}

function removeTree(path: string): void {
  for (const entry of orNothing(() => readdirSync(path, { withFileTypes: true }))) {
    if (entry.isDirectory()) removeTree(join(path, entry.name));
  }
  orNothing(() => [rmdirSync(path)]);
}

function readProcess(pid: number): Process[] {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (state === "Z" || state === "X") return [];
  const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
  const args = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1);
  return [{ pid, parent: Number(parent), name, args, network: readlinkSync(`/proc/${pid}/ns/net`) }];
}

/** Processes and cgroups go away while one looks. */
function orNothing<T>(read: () => T[]): T[] {
  try {
    return read();
  } catch {
    return [];
  }
}
