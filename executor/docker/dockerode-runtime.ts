/**
 * The ContainerRuntime port over the Docker Engine API. No type of dockerode gets out of this folder.
 * Every call has a deadline of its own besides the caller's signal.
 */
import { finished } from "node:stream/promises";

import Dockerode from "dockerode";

import { bounded, ignoring, orUndefined, READ_DEADLINE_MS, WRITE_DEADLINE_MS } from "./call.ts";
import { toDevices } from "./container-devices.ts";
import { toState } from "./container-state.ts";
import { toEngineInfo } from "./engine-info.ts";
import { readLogs } from "./engine-logs.ts";
import { engineError } from "./errors.ts";
import type {
  ContainerRuntime,
  ContainerSpec,
  DeviceRequest,
  ListedContainer,
  RuntimeEvent,
  SeenContainer,
} from "./runtime.ts";

export function createDockerRuntime(options: { readonly socketPath: string }): ContainerRuntime {
  const docker = new Dockerode({ socketPath: options.socketPath });
  return {
    ping: (signal) => bounded("ping", READ_DEADLINE_MS, signal, async () => void (await docker.ping())),
    info: (signal) =>
      bounded("info", READ_DEADLINE_MS, signal, async () => {
        return toEngineInfo(await docker.info());
      }),
    create: (spec, signal) =>
      bounded("create", WRITE_DEADLINE_MS, signal, async (abortSignal) => {
        const container = await docker.createContainer({ ...toDockerode(spec), abortSignal });
        return container.id;
      }),
    start: (name, signal) =>
      bounded("start", WRITE_DEADLINE_MS, signal, async (abortSignal) => {
        await ignoring([304], docker.getContainer(name).start({ abortSignal }));
      }),
    stop: (name, graceSeconds, signal) =>
      bounded("stop", WRITE_DEADLINE_MS + graceSeconds * 1000, signal, async (abortSignal) => {
        await ignoring([304, 404], docker.getContainer(name).stop({ t: graceSeconds, abortSignal }));
      }),
    remove: (name, signal) =>
      bounded("remove", WRITE_DEADLINE_MS, signal, async (abortSignal) => {
        await ignoring([404], docker.getContainer(name).remove({ force: true, v: true, abortSignal }));
      }),
    inspect: (name, signal) => inspect(docker, name, signal),
    exec: (name, argv, signal) => bounded("exec", READ_DEADLINE_MS, signal, () => execIn(docker, name, argv)),
    list: (label, signal) => list(docker, label, signal),
    logs: (name, query, signal) => readLogs(docker, { name, query, signal }),
    events: (label, signal) => events(docker, label, signal),
  };
}

function toDockerode({ Entrypoint, Cmd, Env, HostConfig, ...spec }: ContainerSpec): Dockerode.ContainerCreateOptions {
  const { PortBindings, Mounts, Tmpfs, SecurityOpt, LogConfig, CapAdd, CapDrop, Ulimits, Dns, ...others } = HostConfig;
  const { DeviceRequests, Devices, GroupAdd, ...limits } = others;
  return {
    ...spec,
    Entrypoint: [...Entrypoint],
    Cmd: [...Cmd],
    Env: [...Env],
    HostConfig: {
      ...limits,
      PortBindings: Object.fromEntries(Object.entries(PortBindings).map(([port, hosts]) => [port, [...hosts]])),
      Mounts: Mounts.map(({ VolumeOptions, ...mount }) => ({
        ...mount,
        ...(VolumeOptions === undefined
          ? {}
          : {
              VolumeOptions: {
                NoCopy: false,
                Labels: { ...VolumeOptions.Labels },
                DriverConfig: { Name: "local", Options: {} },
              },
            }),
      })),
      Tmpfs: { ...Tmpfs },
      SecurityOpt: [...SecurityOpt],
      ...(CapAdd === undefined ? {} : { CapAdd: [...CapAdd] }),
      ...(CapDrop === undefined ? {} : { CapDrop: [...CapDrop] }),
      ...(Ulimits === undefined ? {} : { Ulimits: [...Ulimits] }),
      ...(Dns === undefined ? {} : { Dns: [...Dns] }),
      ...(Devices === undefined ? {} : { Devices: [...Devices] }),
      ...(GroupAdd === undefined ? {} : { GroupAdd: [...GroupAdd] }),
      ...(DeviceRequests === undefined ? {} : { DeviceRequests: DeviceRequests.map(toDeviceRequest) }),
      LogConfig: { Type: LogConfig.Type, Config: { ...LogConfig.Config } },
    },
  };
}

function toDeviceRequest({ DeviceIDs, Capabilities, ...request }: DeviceRequest): Dockerode.DeviceRequest {
  return {
    ...request,
    DeviceIDs: [...DeviceIDs],
    ...(Capabilities === undefined ? {} : { Capabilities: Capabilities.map((all) => [...all]) }),
  };
}

function inspect(docker: Dockerode, name: string, signal: AbortSignal): Promise<SeenContainer | undefined> {
  return bounded("inspect", READ_DEADLINE_MS, signal, async (abortSignal) => {
    const info = await orUndefined(docker.getContainer(name).inspect({ abortSignal }));
    return info === undefined ? undefined : toSeen(info);
  });
}

function toSeen(info: Dockerode.ContainerInspectInfo): SeenContainer {
  return {
    id: info.Id,
    name: info.Name.replace(/^\//, ""),
    state: toState(info.State.Status),
    labels: info.Config.Labels ?? {},
    startedAtMs: toInstant(info.State.StartedAt),
    finishedAtMs: toInstant(info.State.FinishedAt),
    exitCode: info.State.ExitCode,
    oomKilled: info.State.OOMKilled,
    devices: toDevices(info),
  };
}

async function execIn(docker: Dockerode, name: string, argv: readonly string[]): Promise<number> {
  const exec = await docker
    .getContainer(name)
    .exec({ Cmd: [...argv], User: "0:0", AttachStdout: true, AttachStderr: true });
  const stream = await exec.start({});
  stream.resume();
  await finished(stream, { writable: false });
  return (await exec.inspect()).ExitCode ?? -1;
}

/** The engine writes the year 1 for an instant that has not come. */
function toInstant(text: string): number | undefined {
  const ms = Date.parse(text);
  return Number.isFinite(ms) && ms > 0 ? ms : undefined;
}

function list(docker: Dockerode, label: string | undefined, signal: AbortSignal): Promise<ListedContainer[]> {
  return bounded("list", READ_DEADLINE_MS, signal, async (abortSignal) => {
    const filters = label === undefined ? {} : { label: [label] };
    const rows = await docker.listContainers({ all: true, filters, abortSignal });
    return rows.map(({ Id, Names: [name = ""], State, Labels }) => ({
      id: Id,
      name: name.replace(/^\//, ""),
      state: toState(State),
      labels: Labels,
    }));
  });
}

async function* events(docker: Dockerode, label: string, signal: AbortSignal): AsyncGenerator<RuntimeEvent> {
  try {
    const stream = await docker.getEvents({ filters: { type: ["container"], label: [label] }, abortSignal: signal });
    let rest = "";
    for await (const chunk of buffersOf(stream)) {
      const lines = (rest + chunk.toString("utf8")).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const event = toEvent(line);
        if (event !== undefined) yield event;
      }
    }
  } catch (error) {
    if (signal.aborted) return;
    throw engineError(error, "events");
  }
}

function toEvent(line: string): RuntimeEvent | undefined {
  if (line.trim() === "") return undefined;
  const event: { Action?: string; Actor?: { Attributes?: { name?: string } } } = JSON.parse(line);
  const containerName = event.Actor?.Attributes?.name;
  return containerName === undefined ? undefined : { containerName, action: event.Action ?? "" };
}

async function* buffersOf(stream: AsyncIterable<string | Buffer>): AsyncGenerator<Buffer> {
  for await (const chunk of stream) yield typeof chunk === "string" ? Buffer.from(chunk) : chunk;
}
