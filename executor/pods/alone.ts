/**
 * Work on GPUs that no pod may have meanwhile, such as cutting them into parts.
 */
import type { KeyedLock } from "../../common/keyed-lock.ts";
import type { GpuUuid } from "../../protocol/ids.ts";
import { ADMISSION } from "./admission.ts";
import type { KnownPods } from "./known.ts";

export interface AloneParts {
  readonly admissions: KeyedLock;
  /** Undefined until it is known which pods there are. */
  readonly known: () => Pick<KnownPods, "holders"> | undefined;
  /** GPUs that containers hold, or may hold, which are no pods of ours. */
  readonly blocked: () => ReadonlyMap<GpuUuid, string>;
  readonly signal: AbortSignal;
}

/** Runs `work` while no pod is admitted; resolves with undefined, and nothing was run, where somebody may hold one of `gpus`. */
export async function alone<T>(
  gpus: readonly GpuUuid[],
  work: () => Promise<T>,
  { admissions, known, blocked, signal }: AloneParts,
): Promise<T | undefined> {
  return admissions.run(
    ADMISSION,
    async () => {
      const holders = known()?.holders;
      if (holders === undefined || gpus.some((uuid) => holders.has(uuid) || blocked().has(uuid))) return undefined;
      return work();
    },
    signal,
  );
}
