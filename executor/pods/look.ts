/**
 * Seeing what there is of one pod: its container, its image if it still needs one, and its files.
 */
import { containerName } from "../docker/labels.ts";
import { readAuthorizedKeys, readHostKeyLine } from "../ssh/pod-files.ts";
import { goalOf, type PodRecord, type Seen } from "./state.ts";
import type { StepDeps } from "./steps.ts";

/** `fresh`: the pod was just accepted and cannot have a container yet, so the engine is not asked for one. */
export async function lookAt(
  record: PodRecord,
  fresh: boolean,
  { runtime, dirsOf, clock, signal }: Pick<StepDeps, "runtime" | "dirsOf" | "clock"> & { readonly signal: AbortSignal },
): Promise<Seen> {
  const { podId, spec } = record.wanted;
  const { podDir } = dirsOf(record);
  const [container, keys, hostKey] = await Promise.all([
    fresh ? undefined : runtime.inspect(containerName(podId), signal),
    readAuthorizedKeys(podDir),
    readHostKeyLine(podDir),
  ]);
  const needsImage = container === undefined && goalOf(record, clock.now()) === "running";
  const image = needsImage ? await runtime.image(spec.image, signal) : undefined;
  return { container, image, keys, hostKey };
}
