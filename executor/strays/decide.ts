/**
 * Which objects on this host belong to nobody any more. Pure.
 *
 * Ours is what bears our label and our host's, or lies in our own folders; nothing else is ever touched, and what bears our
 * label without a host's is only reported. Renters' volumes are data and never strays. Whatever a pod that is not over may
 * need stays: what the ledger knows, and what a container in the engine stands for.
 */
import type { StrayKind } from "../../protocol/host-api/strays.ts";
import { PodId } from "../../protocol/ids.ts";
import { HOST_LABEL, POD_LABEL, containerName, recordFromLabels, VOLUME_LABEL } from "../docker/labels.ts";
import type { EngineContainer, EngineObjects, EngineThing } from "../docker/stray-objects.ts";
import { NETWORK_LABEL } from "../isolation/networks.ts";
import type { HostObjects } from "./host-things.ts";

/** What is there. */
export interface Sight {
  readonly engine: EngineObjects;
  readonly host: HostObjects;
}

/** What is known. */
export interface Known {
  /** Our host's label: the executor's public key. */
  readonly host: string;
  /** A pod whose record cannot be read counts as live. */
  readonly podState: (podId: PodId) => "live" | "over" | "unknown";
  /** Names of networks that records of pods hold. */
  readonly networks: ReadonlySet<string>;
  /** Folders that are ours with all that is in them. */
  readonly ownFolders: readonly string[];
}

/** Something that belongs to nobody. */
export interface Stray {
  readonly kind: StrayKind;
  /** Names it to a person and to whoever removes it. */
  readonly name: string;
  /** Why it belongs to nobody. */
  readonly why: string;
  /** Undefined where the object does not say; then it counts from when we first saw it lie about. */
  readonly createdAtMs: number | undefined;
  /** Set for what must not be removed by us: why not. */
  readonly spared?: string;
}

/** Slots are reused, made ahead and removed by executor/isolation alone. */
const SLOT_NAME = /^lium-net-\d+-\d+-\d+-\d+$/;
const OUR_TABLE = "lium";
const NO_HOST = "it does not say which host made it";

export function findStrays(sight: Sight, known: Known): Stray[] {
  const pods = podsOf(sight.engine, known);
  return [
    ...sight.engine.containers.flatMap((container) => strayContainer(container, known)),
    ...strayMounts(sight, known, pods),
    ...strayLoops(sight, known),
    ...sight.engine.networks.flatMap((network) => strayNetwork(network, sight, known)),
    ...sight.engine.volumes.flatMap((volume) => strayVolume(volume, sight, pods, known)),
    ...strayFolders(sight, pods),
    ...strayTables(sight),
  ];
}

/** What becomes of a stray now. */
export type Verdict = "remove" | "young" | "report";

/** `sinceMs`: when it was made, or first seen. A clock that went back makes everything young. */
export function verdictOf(
  { spared }: Stray,
  { sinceMs, nowMs, graceMs }: { readonly sinceMs: number; readonly nowMs: number; readonly graceMs: number },
): Verdict {
  if (spared !== undefined) return "report";
  return nowMs - sinceMs >= graceMs ? "remove" : "young";
}

/** Says why a pod's belongings are nobody's, or undefined while the pod may need them. */
type WhyOver = (podId: PodId) => string | undefined;

function podsOf({ containers }: EngineObjects, { podState }: Known): WhyOver {
  const inEngine = new Set(containers.map(({ labels }) => labels[POD_LABEL]));
  return (podId) => {
    const state = podState(podId);
    if (state === "over") return "its pod is over";
    return state === "unknown" && !inEngine.has(podId) ? "nothing is known of its pod" : undefined;
  };
}

function strayContainer(container: EngineContainer, known: Known): Stray[] {
  const { name, labels, state, createdAtMs } = container;
  if (labels[POD_LABEL] === undefined) return [];
  const owner = ownership(labels, known);
  if (owner === undefined) return [];
  const stray = (why: string, spared?: string): Stray[] => [
    { kind: "container", name, why, createdAtMs, ...owner, ...(spared === undefined ? {} : { spared }) },
  ];
  const podId = PodId.safeParse(labels[POD_LABEL]).data;
  const podState = podId === undefined ? "unknown" : known.podState(podId);
  if (podState === "over") return stray("its pod is over");
  const unstarted = state === "created";
  if (podId !== undefined && podState === "live") {
    if (name === containerName(podId)) return [];
    return stray("its pod has another container", unstarted ? undefined : "something ran in it");
  }
  // A record that can be read is made a pod again.
  if (recordFromLabels(labels) !== undefined) return [];
  return stray("no pod can be made of it", unstarted ? undefined : "what ran in it is not known");
}

function strayNetwork({ name, labels, createdAtMs }: EngineThing, { engine }: Sight, known: Known): Stray[] {
  const owner = labels[NETWORK_LABEL] === undefined ? undefined : ownership(labels, known);
  if (owner === undefined || SLOT_NAME.test(name) || known.networks.has(name)) return [];
  if (engine.containers.some(({ networks }) => networks.includes(name))) return [];
  return [{ kind: "network", name, why: "no pod and no container uses it", createdAtMs, ...owner }];
}

function strayVolume(
  { name, labels, createdAtMs }: EngineThing,
  { engine }: Sight,
  pods: WhyOver,
  known: Known,
): Stray[] {
  const podId = PodId.safeParse(labels[POD_LABEL]).data;
  const owner = podId === undefined ? undefined : ownership(labels, known);
  if (podId === undefined || owner === undefined || labels[VOLUME_LABEL] !== undefined) return [];
  const why = pods(podId);
  if (why === undefined || engine.containers.some(({ volumes }) => volumes.includes(name))) return [];
  return [{ kind: "volume", name, why, createdAtMs, ...owner }];
}

/** The deepest first: a mount below another one holds it. */
function strayMounts({ host }: Sight, { ownFolders }: Known, pods: WhyOver): Stray[] {
  return host.mounts
    .filter(({ path }) => isWithin(path, ownFolders))
    .flatMap(({ path }): Stray[] => {
      const podId = podIdIn(path);
      const why = podId && pods(podId);
      return why === undefined ? [] : [{ kind: "mount", name: path, why, createdAtMs: undefined }];
    })
    .toSorted((a, b) => b.name.length - a.name.length);
}

function strayLoops({ host }: Sight, { ownFolders }: Known): Stray[] {
  const mounted = new Set(host.mounts.map(({ device }) => device));
  return host.loops
    .filter(({ file, device }) => isWithin(file, ownFolders) && !mounted.has(device))
    .map(({ path, file }) => ({
      kind: "loop",
      name: path,
      why: `nothing is mounted from it: ${file}`,
      createdAtMs: undefined,
    }));
}

function strayFolders({ host }: Sight, pods: WhyOver): Stray[] {
  return host.folders.flatMap(({ path, createdAtMs }): Stray[] => {
    const podId = PodId.safeParse(path.split("/").at(-1)).data;
    const why = podId && pods(podId);
    if (why === undefined) return [];
    const inside = host.mounts.find((mount) => isWithin(mount.path, [path]));
    const spared = inside === undefined ? {} : { spared: `${inside.path} is mounted` };
    return [{ kind: "folder", name: path, why, createdAtMs, ...spared }];
  });
}

/** A table says nothing about who made it. */
function strayTables({ host }: Sight): Stray[] {
  return host.tables
    .filter((name) => name.startsWith(OUR_TABLE) && name !== OUR_TABLE)
    .map((name) => ({
      kind: "table",
      name,
      why: "no version of ours uses it now",
      createdAtMs: undefined,
      spared: NO_HOST,
    }));
}

/** Undefined for what another host made. */
function ownership(labels: Readonly<Record<string, string>>, { host }: Known): Pick<Stray, "spared"> | undefined {
  const made = labels[HOST_LABEL];
  if (made === undefined) return { spared: NO_HOST };
  return made === host ? {} : undefined;
}

function podIdIn(path: string): PodId | undefined {
  return path
    .split("/")
    .map((part) => PodId.safeParse(part).data)
    .find((podId) => podId !== undefined);
}

function isWithin(path: string, folders: readonly string[]): boolean {
  return folders.some((folder) => path === folder || path.startsWith(`${folder}/`));
}
