/**
 * Volumes without disks: who has which attached, and what a test says is wrong with them.
 */
import type { StepDeps } from "../../executor/pods/step-deps.ts";
import { AppError } from "../../protocol/errors.ts";
import type { PodId } from "../../protocol/ids.ts";

export class FakeVolumes {
  /** By owner and name, as in `owner/name`. */
  readonly attached = new Map<string, PodId>();
  readonly calls: string[] = [];
  failure: AppError | undefined;
  /** What a new volume takes of the disk. */
  bytesNeeded = 0;

  readonly port: StepDeps["volumes"] = {
    attach: async ({ owner, name, podId }) => {
      this.calls.push(`attach ${name} ${podId}`);
      if (this.failure !== undefined) throw this.failure;
      const holder = this.attached.get(`${owner}/${name}`) ?? podId;
      if (holder !== podId) throw new AppError("volume-in-use");
      this.attached.set(`${owner}/${name}`, podId);
      return this.port.hostPathOf(owner, name);
    },
    detach: async (podId) => {
      this.calls.push(`detach ${podId}`);
      for (const [volume, holder] of this.attached) if (holder === podId) this.attached.delete(volume);
    },
    hostPathOf: (owner, name) => `/volumes/${owner}/${name}`,
  };
}
