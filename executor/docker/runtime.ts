/**
 * The port to a container engine: the verbs that the executor needs and nothing of any engine's library.
 *
 * Every call may reject with `engine-unavailable` (nothing is known about the outcome) or `engine-error`.
 * Verbs that change something are idempotent: starting what runs, stopping what is stopped and removing what is gone succeed.
 * The fake in test/support and the real engine pass the same suite, test/compliance/container-runtime.suite.ts.
 */
import type { LogLine, LogQuery } from "../../protocol/pod.ts";

/** A container as the Docker Engine API describes it in `POST /containers/create`; only the fields that we set. */
export interface ContainerSpec {
  readonly name: string;
  readonly Image: string;
  readonly User: string;
  readonly Entrypoint: readonly string[];
  readonly Cmd: readonly string[];
  readonly Env: readonly string[];
  readonly Labels: Readonly<Record<string, string>>;
  readonly Hostname: string;
  readonly ExposedPorts: Readonly<Record<string, Record<string, never>>>;
  readonly StopSignal?: string;
  readonly HostConfig: HostConfig;
}

export interface HostConfig {
  readonly Init: boolean;
  readonly NetworkMode: string;
  readonly PortBindings: Readonly<Record<string, readonly { readonly HostIp: string; readonly HostPort: string }[]>>;
  readonly Mounts: readonly Mount[];
  readonly Tmpfs: Readonly<Record<string, string>>;
  readonly ReadonlyRootfs: boolean;
  readonly Memory: number;
  readonly MemorySwap: number;
  readonly NanoCpus: number;
  readonly PidsLimit: number;
  readonly ShmSize: number;
  /** How much a container may write to its own disk, in bytes. */
  readonly StorageOpt?: { readonly size: string };
  readonly SecurityOpt: readonly string[];
  readonly Privileged?: false;
  readonly CapDrop?: readonly string[];
  readonly CapAdd?: readonly string[];
  readonly CgroupnsMode?: "private";
  readonly IpcMode?: "private";
  readonly Ulimits?: readonly { readonly Name: string; readonly Soft: number; readonly Hard: number }[];
  /** One of the engine's runtimes; its default when left out. */
  readonly Runtime?: string;
  /** Name servers; the host's when left out. */
  readonly Dns?: readonly string[];
  readonly DeviceRequests?: readonly DeviceRequest[];
  readonly Devices?: readonly DeviceFile[];
  /** Further groups of the main process, as numbers. */
  readonly GroupAdd?: readonly string[];
  readonly LogConfig: { readonly Type: string; readonly Config: Readonly<Record<string, string>> };
  readonly RestartPolicy: { readonly Name: "no" };
}

/** Asks the engine for devices by their vendors' names. */
export interface DeviceRequest {
  readonly Driver: "cdi" | "nvidia";
  readonly DeviceIDs: readonly string[];
  /** Alternatives, each a list of what has to be there. */
  readonly Capabilities?: readonly (readonly string[])[];
}

export interface DeviceFile {
  readonly PathOnHost: string;
  readonly PathInContainer: string;
  readonly CgroupPermissions: "rwm";
}

export interface Mount {
  readonly Type: "bind" | "volume";
  readonly Source: string;
  readonly Target: string;
  readonly ReadOnly: boolean;
  readonly VolumeOptions?: { readonly Labels: Readonly<Record<string, string>> };
}

/** What an image says about itself. */
export interface ImageInfo {
  readonly id: string;
  readonly user: string;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly stopSignal: string | undefined;
  /** With layers that it shares with others. */
  readonly sizeBytes?: number;
}

export type ContainerState = "created" | "running" | "paused" | "exited" | "removing";

/** A container as the engine sees it now. Instants are the host's clock in milliseconds. */
export interface SeenContainer {
  readonly id: string;
  readonly name: string;
  readonly state: ContainerState;
  readonly labels: Readonly<Record<string, string>>;
  /** When its main process last began; undefined before the first start. */
  readonly startedAtMs: number | undefined;
  readonly finishedAtMs: number | undefined;
  readonly exitCode: number;
  readonly oomKilled: boolean;
  /** What it was given of the host's devices, where the engine was asked. */
  readonly devices?: ContainerDevices;
}

/** Every way in which a container can have been given an accelerator. */
export interface ContainerDevices {
  readonly requests: readonly {
    readonly driver: string;
    readonly ids: readonly string[];
    /** -1 stands for all. */
    readonly count: number;
    readonly capabilities: readonly (readonly string[])[];
  }[];
  /** Device files, and folders of them, by their paths on the host. */
  readonly files: readonly string[];
  readonly runtime: string;
  readonly env: Readonly<Record<string, string>>;
}

/** A container as a list shows it; `inspect` tells the rest. */
export type ListedContainer = Pick<SeenContainer, "id" | "name" | "state" | "labels">;

/** A container of ours changed; look again. */
export interface RuntimeEvent {
  readonly containerName: string;
  readonly action: string;
}

/** The engine about itself, in its own words. */
export interface EngineInfo {
  readonly version: string;
  /** Where the engine keeps images and containers. */
  readonly rootDir: string;
  readonly storage: StorageInfo;
  /** Names of the runtimes that a container may ask for, such as `runc`. */
  readonly runtimes: readonly string[];
  readonly defaultRuntime: string;
  /** Such as `name=seccomp,profile=builtin`, `name=apparmor`, `name=userns`, `name=rootless`, `name=cgroupns`. */
  readonly securityOptions: readonly string[];
  /**
   * CDI, by which containers ask for devices by name: where the engine looks for specifications, nowhere when it is off, and
   * the devices that it found there; engines before 28.2 do not say.
   */
  readonly cdi: { readonly specDirs: readonly string[]; readonly devices?: readonly string[] };
  /** What the engine can limit of a container. */
  readonly limits: { readonly memory: boolean; readonly cpu: boolean; readonly pids: boolean };
}

export interface StorageInfo {
  /** Such as `overlay2` or `btrfs`. */
  readonly driver: string;
  /** The file system under the driver, such as `extfs` or `xfs`; empty where the driver does not say. */
  readonly backingFilesystem: string;
  readonly rootDir: string;
}

export interface ContainerRuntime {
  /** Whether the engine answers at all; cheap. */
  ping(signal: AbortSignal): Promise<void>;
  info(signal: AbortSignal): Promise<EngineInfo>;
  /** Rejects with `name-taken` when a container of that name exists. Resolves with the container's id. */
  create(spec: ContainerSpec, signal: AbortSignal): Promise<string>;
  /** Rejects with `port-busy` when something else on the host listens on a published port. */
  start(name: string, signal: AbortSignal): Promise<void>;
  /** Asks the main process to end and kills it after `graceSeconds`. */
  stop(name: string, graceSeconds: number, signal: AbortSignal): Promise<void>;
  /** Removes the container and its anonymous volumes, running or not. Named volumes stay. */
  remove(name: string, signal: AbortSignal): Promise<void>;
  inspect(name: string, signal: AbortSignal): Promise<SeenContainer | undefined>;
  /** Runs a program in a running container as root and waits for its end. Resolves with its exit status. */
  exec(name: string, argv: readonly string[], signal: AbortSignal): Promise<number>;
  /** Every container, in any state, that carries this label; of anybody when there is none. */
  list(label: string | undefined, signal: AbortSignal): Promise<ListedContainer[]>;
  /** What the main process wrote; ends with the container when `follow`, else at the last line. */
  logs(name: string, query: LogQuery, signal: AbortSignal): AsyncIterable<LogLine>;
  /** Changes of containers that carry this label, from now on. Ends or rejects when the engine goes away. */
  events(label: string, signal: AbortSignal): AsyncIterable<RuntimeEvent>;
}
