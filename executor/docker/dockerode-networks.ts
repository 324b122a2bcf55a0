/**
 * The Networks port over the Docker Engine API.
 */
import Dockerode from "dockerode";

import { AppError } from "../../protocol/errors.ts";
import { bounded, ignoring, orUndefined, READ_DEADLINE_MS, WRITE_DEADLINE_MS } from "./call.ts";
import { statusOf } from "./errors.ts";
import type { Networks, NetworkSpec, SeenNetwork } from "./networks.ts";

const BRIDGE = "com.docker.network.bridge.name";
const ICC = "com.docker.network.bridge.enable_icc";

const NAMEPLATE = { "lium.network": "nameplate" };

/** What the engine's refusals of a name, a subnet or a bridge look like; each has another status and other words. */
const TAKEN = /already exists|pool overlaps|conflicts with network|same bridge name|active endpoints/i;

export function createDockerNetworks(options: { readonly socketPath: string }): Networks {
  const docker = new Dockerode({ socketPath: options.socketPath });
  return {
    list: (signal) =>
      bounded("list networks", READ_DEADLINE_MS, signal, async (abortSignal) =>
        (await docker.listNetworks({ abortSignal })).map(toSeen),
      ),
    create: (spec, signal) =>
      bounded("create network", WRITE_DEADLINE_MS, signal, async (abortSignal) => {
        await unlessTaken(docker.createNetwork({ ...toDockerode(spec), abortSignal }));
      }),
    inspect: (name, signal) =>
      bounded("inspect network", READ_DEADLINE_MS, signal, async () => {
        const info = await orUndefined(docker.getNetwork(name).inspect());
        if (info === undefined) return undefined;
        return { ...toSeen(info), containers: Object.values(info.Containers ?? {}).map(({ Name }) => Name) };
      }),
    remove: (name, signal) =>
      bounded("remove network", WRITE_DEADLINE_MS, signal, async (abortSignal) => {
        await unlessTaken(ignoring([404], docker.getNetwork(name).remove({ abortSignal })));
      }),
    attach: (container, network, signal) =>
      bounded("attach network", WRITE_DEADLINE_MS, signal, (abortSignal) =>
        attach(docker, { container, network, abortSignal }),
      ),
  };
}

function toDockerode({ name, subnet, gateway, bridge, labels }: NetworkSpec): Dockerode.NetworkCreateOptions {
  return {
    Name: name,
    Driver: "bridge",
    EnableIPv6: false,
    IPAM: { Driver: "default", Config: [{ Subnet: subnet, Gateway: gateway }] },
    Options: { [BRIDGE]: bridge, [ICC]: "false" },
    Labels: { ...labels },
  };
}

function toSeen(info: Dockerode.NetworkInspectInfo): SeenNetwork {
  const options: Readonly<Record<string, string>> = info.Options ?? {};
  return {
    id: info.Id,
    name: info.Name,
    driver: info.Driver,
    subnets: (info.IPAM?.Config ?? []).flatMap(({ Subnet }) => (Subnet === undefined ? [] : [Subnet])),
    bridge: options[BRIDGE],
    open: options[ICC] !== "false",
    ipv6: info.EnableIPv6,
    labels: info.Labels ?? {},
  };
}

async function unlessTaken(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (statusOf(error) === undefined || !TAKEN.test(message)) throw error;
    throw new AppError("network-taken", { message, cause: error });
  }
}

interface Attachment {
  readonly container: string;
  readonly network: string;
  readonly abortSignal: AbortSignal;
}

async function attach(docker: Dockerode, { container, network, abortSignal }: Attachment): Promise<void> {
  const seen = await orUndefined(docker.getContainer(container).inspect({ abortSignal }));
  if (seen === undefined || seen.State.Running) return;
  const { Networks } = seen.NetworkSettings;
  const { Id } = await docker.getNetwork(network).inspect();
  const known = Networks[network]?.NetworkID;
  const others = Object.keys(Networks).filter((name) => name !== network);
  // A container that never ran knows its network by name alone.
  if (others.length === 0 && (known === Id || known === "")) return;
  for (const name of Object.keys(Networks)) {
    const disconnected = docker.getNetwork(name).disconnect({ Container: container, Force: true, abortSignal });
    await ignoring([403, 404], disconnected);
  }
  await docker.getNetwork(network).connect({ Container: container });
  await keepName(docker, seen.HostConfig.NetworkMode, abortSignal);
}

/**
 * The engine starts a container only while a network has the name that the container was created with. Where that one is
 * gone, a configuration without any interface or address takes the name.
 */
async function keepName(docker: Dockerode, name: string | undefined, abortSignal: AbortSignal): Promise<void> {
  if (name === undefined || (await orUndefined(docker.getNetwork(name).inspect())) !== undefined) return;
  await docker.createNetwork({ Name: name, ConfigOnly: true, Labels: NAMEPLATE, abortSignal });
}
