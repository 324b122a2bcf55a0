/**
 * A host's leftovers that a test makes up: what is removed is gone from the lists, and a folder in which something is
 * mounted is not removed.
 */
import type { HostFolder, HostLoop, HostMount, HostObjects, HostThings } from "../../executor/strays/host-things.ts";
import { AppError } from "../../protocol/errors.ts";

export class FakeThings implements HostThings {
  folders: HostFolder[] = [];
  mounts: HostMount[] = [];
  loops: HostLoop[] = [];
  tables: string[] = [];

  async list(roots: readonly string[]): Promise<HostObjects> {
    const { mounts, loops, tables } = this;
    const folders = this.folders.filter(({ path }) => roots.some((root) => path.startsWith(`${root}/`)));
    return { folders, mounts, loops, tables };
  }

  async removeFolder(path: string): Promise<void> {
    if (this.mounts.some((mount) => mount.path.startsWith(path))) throw new AppError("already-exists");
    this.folders = this.folders.filter((folder) => folder.path !== path);
  }

  async unmount(path: string): Promise<void> {
    this.mounts = this.mounts.filter((mount) => mount.path !== path);
  }

  async detachLoop(path: string): Promise<void> {
    this.loops = this.loops.filter((loop) => loop.path !== path);
  }
}
