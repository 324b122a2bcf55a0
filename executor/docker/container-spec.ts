/**
 * From a pod's record to the container that the engine is asked to create. Pure; see hardening.ts for what it is denied.
 *
 * The container always begins as root with the kit's init, which starts SSH and then becomes the image's own command as
 * the image's own user. Sealed values are not in here: they reach the pod through a mounted folder in memory.
 */
import type { PodSpec } from "../../protocol/pod.ts";
import { environmentOf } from "../gpus/passthrough/environment.ts";
import type { Grant } from "../gpus/passthrough/grant.ts";
import type { PodRecord } from "../pods/state.ts";
import { kitEntrypoint, kitMounts, type PodDirs, RUN_TMPFS } from "../ssh/pod-kit.ts";
import { type RootQuota, storageOpt } from "../storage/quota.ts";
import { hardening, type HardeningSettings } from "./hardening.ts";
import { containerName, labelsOf } from "./labels.ts";
import type { ContainerSpec, HostConfig, ImageInfo, Mount } from "./runtime.ts";

const NANO = 1_000_000_000;
/**
 * 30 MiB on disk. A pod that writes faster than the engine can store loses lines and is not held up: a slow disk of the host
 * must not stop a program that prints.
 */
const LOG_LIMITS = { "max-size": "10m", "max-file": "3", mode: "non-blocking", "max-buffer-size": "4m" };

export interface ContainerInput {
  readonly record: PodRecord;
  readonly image: ImageInfo;
  readonly dirs: PodDirs;
  /** The address that ports are published on: every one of the host, unless the operator names one. */
  readonly bindAddress: string;
  /** This executor's public key. */
  readonly host: string;
  /** The pod's own network; the engine's shared one when left out. */
  readonly network?: { readonly name: string } | undefined;
  readonly isolation?: IsolationSettings | undefined;
  /** Where the pod's volume is mounted on the host, if it has one. */
  readonly volumePath?: string | undefined;
  /** Of accelerators; none when left out. */
  readonly grant?: Grant | undefined;
  /** Whether the engine can limit the pod's own disk; it is not limited when left out. */
  readonly quota?: RootQuota | undefined;
}

export interface IsolationSettings extends HardeningSettings {
  /** Name servers of pods; those of the host when empty. */
  readonly dns: readonly string[];
}

export function containerSpec(input: ContainerInput): ContainerSpec {
  const { record, image } = input;
  const { spec, podId } = record.wanted;
  const main = kitEntrypoint(mainProcess(spec, image));
  return {
    name: containerName(podId),
    Image: image.id,
    User: "0:0",
    Entrypoint: main.entrypoint,
    Cmd: main.cmd,
    Env: environmentOf(spec.env, input.grant),
    Labels: { ...labelsOf(record, input.host) },
    Hostname: `pod-${podId.slice(-12)}`,
    ExposedPorts: Object.fromEntries(record.ports.map((port) => [`${port.containerPort}/${port.protocol}`, {}])),
    ...(image.stopSignal === undefined ? {} : { StopSignal: image.stopSignal }),
    HostConfig: hostConfig(input),
  };
}

/** As Docker combines them: an entrypoint from the spec discards the image's command. */
function mainProcess(spec: PodSpec, image: ImageInfo): { argv: string[]; user: string; stay: boolean } {
  const entrypoint = spec.entrypoint ?? image.entrypoint;
  const command = spec.command ?? (spec.entrypoint === undefined ? image.command : []);
  const explicit = spec.entrypoint !== undefined || spec.command !== undefined;
  return { argv: [...entrypoint, ...command], user: image.user, stay: !explicit };
}

function hostConfig(input: ContainerInput): HostConfig {
  const { record, dirs, bindAddress, network, isolation, grant } = input;
  const { spec } = record.wanted;
  const dns = isolation?.dns ?? [];
  return {
    ...hardening(isolation ?? {}),
    Init: true,
    NetworkMode: network?.name ?? "bridge",
    ...(dns.length === 0 ? {} : { Dns: dns }),
    ...ownDisk(input),
    ...(grant === undefined ? {} : devicesOf(grant)),
    PortBindings: Object.fromEntries(
      record.ports.map((port) => [
        `${port.containerPort}/${port.protocol}`,
        [{ HostIp: bindAddress, HostPort: String(port.hostPort) }],
      ]),
    ),
    Mounts: [...kitMounts(dirs).map(bind), ...volumeMount(input)],
    Tmpfs: {
      [RUN_TMPFS.path]: RUN_TMPFS.options,
      ...(spec.readOnlyRoot ? { "/tmp": "rw,exec,nosuid,nodev,mode=1777", "/run": "rw,nosuid,nodev,mode=755" } : {}),
    },
    ReadonlyRootfs: spec.readOnlyRoot,
    Memory: spec.memoryBytes,
    MemorySwap: spec.memoryBytes,
    NanoCpus: Math.round(spec.cpus * NANO),
    PidsLimit: spec.pidsLimit,
    ShmSize: spec.shmBytes,
    LogConfig: { Type: "json-file", Config: LOG_LIMITS },
    RestartPolicy: { Name: "no" },
  };
}

function devicesOf({ requests, files, groups, runtime }: Grant): Partial<HostConfig> {
  return {
    ...(requests.length === 0 ? {} : { DeviceRequests: requests }),
    ...(files.length === 0 ? {} : { Devices: files }),
    ...(groups.length === 0 ? {} : { GroupAdd: groups }),
    ...(runtime === undefined ? {} : { Runtime: runtime }),
  };
}

function ownDisk({ record, image, quota }: ContainerInput): Pick<HostConfig, "StorageOpt"> {
  const sizes = { diskBytes: record.wanted.spec.diskBytes, imageBytes: image.sizeBytes ?? 0 };
  const option = quota && storageOpt(quota, sizes);
  return option === undefined ? {} : { StorageOpt: option };
}

function bind(mount: { hostPath: string; podPath: string; readOnly: boolean }): Mount {
  return { Type: "bind", Source: mount.hostPath, Target: mount.podPath, ReadOnly: mount.readOnly };
}

function volumeMount({ record, volumePath }: ContainerInput): Mount[] {
  const { volume } = record.wanted.spec;
  if (volume === undefined || volumePath === undefined) return [];
  return [{ Type: "bind", Source: volumePath, Target: volume.mountPath, ReadOnly: false }];
}
