/**
 * Seeing what there is of one pod: its container, its image if it still needs one, and its files.
 */
import { toAppError } from "../../protocol/errors.ts";
import { containerName } from "../docker/labels.ts";
import type { SeenContainer } from "../docker/runtime.ts";
import { readAuthorizedKeys, readHostKeyLine } from "../ssh/pod-files.ts";
import { withImageAccess } from "./secrets.ts";
import { type Goal, goalOf, type PodRecord, type Seen } from "./state.ts";
import type { StepDeps } from "./step-deps.ts";

/** `fresh`: the pod was just accepted and cannot have a container yet, so the engine is not asked for one. */
export async function lookAt(
  record: PodRecord,
  fresh: boolean,
  deps: StepDeps & { readonly signal: AbortSignal },
): Promise<Seen> {
  const { images, signal } = deps;
  const { podId, spec } = record.wanted;
  const { podDir } = deps.dirsOf(record);
  const goal = goalOf(record, deps.clock.now());
  const name = containerName(podId);
  const [container, keys, hostKey] = await Promise.all([
    fresh ? undefined : seeContainer(name, goal, deps),
    readAuthorizedKeys(podDir),
    readHostKeyLine(podDir),
  ]);
  if (container !== undefined || goal !== "running") return { container, image: undefined, keys, hostKey };
  const image = await withImageAccess(record.wanted, deps, (access) => images.local(spec.image, access, signal));
  return { container, image, keys, hostKey };
}

type LookDeps = Pick<StepDeps, "runtime" | "ending"> & { readonly signal: AbortSignal };

/** A wedged container may be one that cannot be inspected. For its end, all that counts is that it is there. */
async function seeContainer(name: string, goal: Goal, deps: LookDeps): Promise<SeenContainer | undefined> {
  const { runtime, signal } = deps;
  if (goal === "ended") return find(name, deps);
  if (goal === "running") return runtime.inspect(name, signal);
  return runtime.inspect(name, signal).catch((error: unknown) => {
    if (toAppError(error).code !== "engine-unavailable") throw error;
    return find(name, deps);
  });
}

async function find(name: string, { ending, signal }: LookDeps): Promise<SeenContainer | undefined> {
  const found = await ending.engine.find(name, signal);
  if (found === undefined) return undefined;
  const unknown = { startedAtMs: undefined, finishedAtMs: undefined, exitCode: 0, oomKilled: false };
  return { ...found, ...unknown, name, labels: {} };
}
