/**
 * The port to what lies about on this host outside the engine: folders of pods, mounts, loop devices, firewall tables.
 */

export interface HostFolder {
  readonly path: string;
  readonly createdAtMs: number | undefined;
}

export interface HostMount {
  readonly path: string;
  /** Of the device, as `major:minor`. */
  readonly device: string;
}

export interface HostLoop {
  /** Such as /dev/loop3. */
  readonly path: string;
  readonly device: string;
  /** The file behind it; it may be deleted. */
  readonly file: string;
}

export interface HostObjects {
  readonly folders: readonly HostFolder[];
  readonly mounts: readonly HostMount[];
  readonly loops: readonly HostLoop[];
  /** Names of nftables tables. */
  readonly tables: readonly string[];
}

export interface HostThings {
  /** `roots`: the folders whose entries are one folder for each pod. */
  list(roots: readonly string[], signal: AbortSignal): Promise<HostObjects>;
  /** Rejects when something is mounted in it or below: what is removed is our files, never what hangs in them. */
  removeFolder(path: string, signal: AbortSignal): Promise<void>;
  /** Rejects when it is in use. */
  unmount(path: string, signal: AbortSignal): Promise<void>;
  /** Lets the device go; the kernel does so when its last user closes it. */
  detachLoop(path: string, signal: AbortSignal): Promise<void>;
}
