/**
 * The pod kit: an SSH server for any image, in one folder that every pod sees read-only. It is built once from the host's
 * packages and brings its own libraries, so an image needs no SSH server, no shell, no user accounts and no C library.
 * A kit never changes once it is there, because pods run from it: other content is another version beside it.
 */
import { access } from "node:fs/promises";
import { join } from "node:path";

import { AppError } from "../../protocol/errors.ts";
import { assembleKit } from "./kit-assembly.ts";
import { KIT, kitFiles, kitVersion, RUN } from "./kit-content.ts";
import { PROGRAMS, readKitSources } from "./kit-sources.ts";
import { NAME_FILES, NAMES_DIR } from "./name-files.ts";

/** The port of SSH inside the pod; 22 is left to the image. */
export const SSH_PORT = 7022;

/** What the host needs installed, as Debian and Ubuntu name it. */
export const KIT_PACKAGES: readonly string[] = [...PROGRAMS.map(({ packageName }) => packageName), "patchelf"];

/** Small and writable in every pod, also where the image is read-only: the SSH server keeps its agent sockets here. */
export const RUN_TMPFS = { path: RUN, options: "rw,nosuid,nodev,noexec,size=4m,mode=755" } as const;

export interface PodKit {
  /** On the host. */
  readonly dir: string;
  readonly version: string;
}

/** The folders on the host that a pod sees; see pod-files.ts for the last two. */
export interface PodDirs {
  readonly kitDir: string;
  readonly podDir: string;
  readonly secretDir: string;
}

export interface KitMount {
  readonly hostPath: string;
  readonly podPath: string;
  readonly readOnly: true;
}

export interface PodMain {
  /** The pod's own command; empty when there is none, and the pod is there for SSH alone. */
  readonly argv: readonly string[];
  /** The image's USER, as the image says it. */
  readonly user: string;
  /** Whether the pod stays up for SSH after the command has ended by itself. */
  readonly stay: boolean;
}

/** The container must start as 0:0, under docker-init. The entry point never holds anything but the kit's own words and `user`. */
export function kitEntrypoint({ argv, user, stay }: PodMain): { entrypoint: string[]; cmd: string[] } {
  const options = [...(user === "" ? [] : ["--user", user]), ...(stay ? ["--stay"] : [])];
  return { entrypoint: [`${KIT}/bin/busybox`, "sh", `${KIT}/init`, ...options, "--"], cmd: [...argv] };
}

/** Run in a pod as root, it starts the SSH server anew. Pods of an older kit do not have it, and the command fails there. */
export const HEAL_COMMAND: readonly string[] = [`${KIT}/bin/busybox`, "sh", `${KIT}/heal`];

/** What ends the command below when a device is there that is none of the pod's. */
const FOREIGN_DEVICE = 121;
/** Device files of a pod beyond so many count as one. */
const MOST_NODES = 120;

/** Run in a pod as root, it tells whether the pod has these device files, and of accelerators no others. */
export function devicesCommand(nodes: readonly string[]): string[] {
  return [`${KIT}/bin/busybox`, "sh", `${KIT}/devices`, ...nodes];
}

/** What the command's exit status says, in words; undefined when all is well. */
export function lackOfDevices(status: number, nodes: readonly string[]): string | undefined {
  if (status === 0) return undefined;
  if (status === FOREIGN_DEVICE) return "The pod has the device file of an accelerator that is not its own.";
  if (status < 1 || status > MOST_NODES)
    return `It cannot be found out whether the pod has its GPUs (status ${status}).`;
  return `The pod cannot open ${nodes[status - 1] ?? "a device file"}, which is one of its GPU's.`;
}

export function kitMounts({ kitDir, podDir, secretDir }: PodDirs): KitMount[] {
  return [
    { hostPath: kitDir, podPath: KIT, readOnly: true },
    { hostPath: podDir, podPath: "/.lium/pod", readOnly: true },
    { hostPath: secretDir, podPath: "/.lium/secret", readOnly: true },
    ...NAME_FILES.map(({ name, podPath }) => ({
      hostPath: join(podDir, NAMES_DIR, name),
      podPath,
      readOnly: true as const,
    })),
  ];
}

/**
 * Makes sure that this host has the kit for what is installed now, and says where. Rejects with `kit-unavailable`; its
 * details list the packages that are missing. Older versions stay, for the pods that run from them.
 */
export async function buildPodKit(options: {
  readonly stateDir: string;
  readonly signal: AbortSignal;
}): Promise<PodKit> {
  const { stateDir, signal } = options;
  const sources = await readKitSources(signal);
  const files = kitFiles(sources);
  const version = kitVersion(files);
  const dir = join(stateDir, "kit", version);
  if (await exists(dir)) return { dir, version };

  try {
    await assembleKit(dir, { files, loader: sources.loader, signal });
  } catch (error) {
    signal.throwIfAborted();
    throw new AppError("kit-unavailable", { message: `The pod kit could not be built as ${dir}.`, cause: error });
  }
  return { dir, version };
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
