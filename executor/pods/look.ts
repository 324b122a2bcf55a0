/**
 * Seeing what there is of one pod: its container, its image if it still needs one, and its files.
 */
import type { EndingEngine } from "../docker/ending.ts";
import { containerName } from "../docker/labels.ts";
import type { SeenContainer } from "../docker/runtime.ts";
import { readAuthorizedKeys, readHostKeyLine } from "../ssh/pod-files.ts";
import { withImageAccess } from "./secrets.ts";
import { goalOf, type PodRecord, type Seen } from "./state.ts";
import type { StepDeps } from "./steps.ts";

/** `fresh`: the pod was just accepted and cannot have a container yet, so the engine is not asked for one. */
export async function lookAt(
  record: PodRecord,
  fresh: boolean,
  deps: StepDeps & { readonly signal: AbortSignal },
): Promise<Seen> {
  const { runtime, images, ending, signal } = deps;
  const { podId, spec } = record.wanted;
  const { podDir } = deps.dirsOf(record);
  const goal = goalOf(record, deps.clock.now());
  const name = containerName(podId);
  const [container, keys, hostKey] = await Promise.all([
    fresh ? undefined : goal === "ended" ? find(name, ending.engine, signal) : runtime.inspect(name, signal),
    readAuthorizedKeys(podDir),
    readHostKeyLine(podDir),
  ]);
  if (container !== undefined || goal !== "running") return { container, image: undefined, keys, hostKey };
  const image = await withImageAccess(record.wanted, deps, (access) => images.local(spec.image, access, signal));
  return { container, image, keys, hostKey };
}

/** A container that is to end may be one that cannot be inspected; that it is there is all that counts. */
async function find(name: string, engine: EndingEngine, signal: AbortSignal): Promise<SeenContainer | undefined> {
  const found = await engine.find(name, signal);
  if (found === undefined) return undefined;
  const unknown = { startedAtMs: undefined, finishedAtMs: undefined, exitCode: 0, oomKilled: false };
  return { ...found, ...unknown, name, labels: {} };
}
