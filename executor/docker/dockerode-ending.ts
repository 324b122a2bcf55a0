/**
 * The EndingEngine port over the Docker Engine API.
 */
import Dockerode from "dockerode";

import { bounded, ignoring } from "./call.ts";
import { toState } from "./container-state.ts";
import type { EndingEngine } from "./ending.ts";
import { statusOf } from "./errors.ts";

/** A list is answered from the engine's memory: one that takes longer is no answer. */
const LIST_DEADLINE_MS = 5_000;

export function createDockerEnding(options: { readonly socketPath: string }): EndingEngine {
  const docker = new Dockerode({ socketPath: options.socketPath });
  const list = (filters: Record<string, string[]>, signal: AbortSignal): Promise<Dockerode.ContainerInfo[]> =>
    bounded("list", LIST_DEADLINE_MS, signal, (abortSignal) =>
      docker.listContainers({ all: true, filters, abortSignal }),
    );
  return {
    find: async (name, signal) => {
      // The engine reads a name as a pattern, so that others may match as well.
      const rows = await list({ name: [name] }, signal);
      const row = rows.find(({ Names }) => Names.includes(`/${name}`));
      return row && { id: row.Id, state: toState(row.State) };
    },
    publishedPorts: async (signal) => {
      const rows = await list({}, signal);
      return rows.flatMap(({ Names: [name = ""], Ports }) =>
        Ports.flatMap(({ PublicPort: hostPort, Type }) => {
          if (hostPort === undefined || (Type !== "tcp" && Type !== "udp")) return [];
          return [{ hostPort, protocol: Type, containerName: name.replace(/^\//, "") }];
        }),
      );
    },
    stop: (id, { graceSeconds, withinMs }, signal) =>
      bounded("stop", withinMs, signal, (abortSignal) =>
        ignoring([304, 404], docker.getContainer(id).stop({ t: graceSeconds, abortSignal })),
      ),
    kill: (id, { withinMs }, signal) =>
      bounded("kill", withinMs, signal, (abortSignal) =>
        // 409: it does not run.
        ignoring([404, 409], docker.getContainer(id).kill({ signal: "SIGKILL", abortSignal })),
      ),
    remove: (id, { withinMs }, signal) =>
      bounded("remove", withinMs, signal, async (abortSignal) => {
        const removal = docker.getContainer(id).remove({ force: true, v: true, abortSignal });
        await ignoring([404], removal).catch((error: unknown) => {
          if (!isUnderWay(error)) throw error;
        });
      }),
  };
}

function isUnderWay(error: unknown): boolean {
  return statusOf(error) === 409 && error instanceof Error && /already in progress/i.test(error.message);
}
