/**
 * The StrayObjects port over the Docker Engine API. All lists come from the engine's memory: no container is inspected, so
 * that a wedged one hides nothing.
 */
import Dockerode from "dockerode";

import { bounded, ignoring, READ_DEADLINE_MS, WRITE_DEADLINE_MS } from "./call.ts";
import { toState } from "./container-state.ts";
import type { EngineContainer, EngineThing, StrayObjects } from "./stray-objects.ts";

export function createDockerStrays(options: { readonly socketPath: string }): StrayObjects {
  const docker = new Dockerode({ socketPath: options.socketPath });
  return {
    list: (signal) =>
      bounded("list", READ_DEADLINE_MS, signal, async (abortSignal) => {
        // Containers last: what was made for one that is just coming is then not without it.
        const { Volumes } = await docker.listVolumes({ abortSignal });
        const networks = await docker.listNetworks({ abortSignal });
        const containers = await docker.listContainers({ all: true, abortSignal });
        return {
          volumes: (Volumes ?? []).map(toVolume),
          networks: networks.map(toNetwork),
          containers: containers.map(toContainer),
        };
      }),
    removeVolume: (name, signal) =>
      bounded("remove volume", WRITE_DEADLINE_MS, signal, (abortSignal) =>
        ignoring([404], docker.getVolume(name).remove({ abortSignal })),
      ),
    removeNetwork: (name, signal) =>
      bounded("remove network", WRITE_DEADLINE_MS, signal, (abortSignal) =>
        ignoring([404], docker.getNetwork(name).remove({ abortSignal })),
      ),
  };
}

function toContainer(row: Dockerode.ContainerInfo): EngineContainer {
  return {
    name: (row.Names[0] ?? "").replace(/^\//, ""),
    state: toState(row.State),
    labels: row.Labels,
    createdAtMs: toInstant(row.Created * 1000),
    networks: Object.keys(row.NetworkSettings.Networks),
    volumes: row.Mounts.flatMap(({ Name }) => (Name === undefined ? [] : [Name])),
  };
}

/** The library's types leave out when a volume was made, and that the engine gives null where it has no labels. */
interface Volume {
  readonly Name: string;
  readonly Labels?: Record<string, string> | null;
  readonly CreatedAt?: string;
}

function toVolume({ Name, Labels, CreatedAt = "" }: Volume): EngineThing {
  return { name: Name, labels: Labels ?? {}, createdAtMs: toInstant(Date.parse(CreatedAt)) };
}

function toNetwork({ Name, Labels = {}, Created }: Dockerode.NetworkInspectInfo): EngineThing {
  return { name: Name, labels: Labels, createdAtMs: toInstant(Date.parse(Created)) };
}

function toInstant(ms: number): number | undefined {
  return Number.isFinite(ms) && ms > 0 ? ms : undefined;
}
