/**
 * Doing one step of the plan: a table from step to action. Each is idempotent; each returns what is seen afterwards, so that
 * the next step needs no second look. None decides anything.
 */
import type { Clock } from "../../common/clock.ts";
import { AppError } from "../../protocol/errors.ts";
import type { Timeline } from "../../protocol/pod.ts";
import { containerSpec } from "../docker/container-spec.ts";
import { containerName } from "../docker/labels.ts";
import { readHostKeyLine, removePodFiles, writeAuthorizedKeys } from "../ssh/pod-files.ts";
import { devicesCommand, HEAL_COMMAND, lackOfDevices, SSH_PORT } from "../ssh/pod-kit.ts";
import { answersSsh, type SshEndpoint, waitForSsh } from "../ssh/probe.ts";
import {
  endContainer,
  type EndRequest,
  type EndResult,
  haltContainer,
  type HaltResult,
  portsTrulyFree,
  stuckError,
} from "./ending.ts";
import { withExit } from "./exits.ts";
import { grantFor, withGrant } from "./gpus.ts";
import type { Step } from "./plan.ts";
import { prepare, volumePathOf } from "./prepare.ts";
import { withImageAccess } from "./secrets.ts";
import { type PodRecord, withSeenStart } from "./state.ts";
import type { StepContext, StepDeps, Turn } from "./step-deps.ts";

const EXIT_LOG_LINES = 100;

type Action = (turn: Turn, context: StepContext) => Promise<Turn>;

export const ACTIONS: Readonly<Record<Step, Action>> = {
  pull,
  create,
  start,
  "write-keys": writeKeys,
  "see-gpus": seeGpus,
  probe,
  check,
  heal,
  remake,
  examine,
  stop,
  remove,
  end,
  release,
};

async function pull(turn: Turn, { deps, signal, onPull }: StepContext): Promise<Turn> {
  const { wanted } = turn.record;
  const image = await withImageAccess(wanted, deps, (access) =>
    deps.images.ensure(wanted.spec.image, { ...access, onProgress: onPull, signal }),
  );
  return { ...turn, seen: { ...turn.seen, image } };
}

async function create(turn: Turn, { deps, signal }: StepContext): Promise<Turn> {
  const { image } = turn.seen;
  if (image === undefined) throw new AppError("internal", { message: "create without an image" });
  const { bindAddress, host, isolation, quota } = deps;
  const grant = await grantFor(turn.record, deps, signal);
  const record = withGrant(stage(turn.record, "pulled", deps.clock), grant);
  const dirs = await prepare(record, deps, signal);
  const { network } = record;
  const { settings } = isolation;
  const volumePath = volumePathOf(record, deps);
  const spec = containerSpec({
    record,
    image,
    dirs,
    bindAddress,
    host,
    network,
    isolation: settings,
    quota,
    volumePath,
    grant,
  });
  const id = await deps.runtime.create(spec, signal);
  const container = {
    id,
    name: spec.name,
    state: "created" as const,
    labels: spec.Labels,
    startedAtMs: undefined,
    finishedAtMs: undefined,
    exitCode: 0,
    oomKilled: false,
  };
  return { ...turn, record: stage(record, "created", deps.clock), seen: { ...turn.seen, container } };
}

async function start(turn: Turn, { deps, signal }: StepContext): Promise<Turn> {
  const name = containerName(turn.record.wanted.podId);
  const { network } = turn.record;
  const { podDir } = await prepare(turn.record, deps, signal);
  if (network !== undefined) await deps.isolation.networks.attach(name, network, signal);
  await deps.runtime.start(name, signal);
  const record = stage(turn.record, "started", deps.clock);
  const [container, hostKey] = await Promise.all([deps.runtime.inspect(name, signal), readHostKeyLine(podDir)]);
  const seen = { ...turn.seen, container, hostKey, keys: record.wanted.spec.sshKeys };
  return { ...turn, record: withSeenStart(record, container), seen };
}

async function writeKeys(turn: Turn, { deps }: StepContext): Promise<Turn> {
  const { sshKeys } = turn.record.wanted.spec;
  await writeAuthorizedKeys(deps.dirsOf(turn.record).podDir, sshKeys, deps.isolation.podRoot);
  return { ...turn, seen: { ...turn.seen, keys: sshKeys } };
}

/** Throws `gpu-not-given` for a pod that nobody has been able to use yet; what one lacks that was used is noted. */
async function seeGpus(turn: Turn, { deps, signal }: StepContext): Promise<Turn> {
  const { record, seen } = turn;
  const startedAtMs = seen.container?.startedAtMs;
  if (record.given === undefined || startedAtMs === undefined) {
    throw new AppError("internal", { message: "no GPUs to see" });
  }
  const { nodes, lack } = record.given;
  const status = await deps.runtime.exec(containerName(record.wanted.podId), devicesCommand(nodes), signal);
  const message = lackOfDevices(status, nodes);
  if (message === undefined) return { ...turn, record: { ...record, given: { nodes, seenStartMs: startedAtMs } } };
  if (record.timeline.sshReady === undefined) throw new AppError("gpu-not-given", { message, details: { status } });
  const sinceMs = lack?.startedAtMs === startedAtMs ? lack.sinceMs : deps.clock.now();
  return { ...turn, record: { ...record, given: { nodes, lack: { startedAtMs, sinceMs, message } } } };
}

/** Waits for SSH to come up. */
async function probe(turn: Turn, { deps, signal }: StepContext): Promise<Turn> {
  const beganMs = deps.clock.now();
  const { endpoint, startedAtMs } = sshOf(turn, deps);
  const ready = await waitForSsh(endpoint, deps.limits.probeMs, { clock: deps.clock, signal });
  if (!ready) return { ...turn, ssh: { startedAtMs, state: "lost", failedAtMs: turn.ssh?.failedAtMs ?? beganMs } };
  return { ...turn, record: stage(turn.record, "sshReady", deps.clock), ssh: { startedAtMs, state: "ready" } };
}

/** One look at an SSH that was ready: a first failure makes it suspect, a second one lost. */
async function check(turn: Turn, { deps, signal }: StepContext): Promise<Turn> {
  const beganMs = deps.clock.now();
  const { endpoint, startedAtMs } = sshOf(turn, deps);
  if (await answersSsh(endpoint, signal)) return { ...turn, ssh: { startedAtMs, state: "ready" } };
  signal.throwIfAborted();
  const state = turn.ssh?.failedAtMs === undefined ? "ready" : "lost";
  return { ...turn, ssh: { startedAtMs, state, failedAtMs: turn.ssh?.failedAtMs ?? beganMs } };
}

/** The mildest help: the server is started anew, and the pod and its sessions are left alone. Once for each start. */
async function heal(turn: Turn, { deps, signal }: StepContext): Promise<Turn> {
  const { startedAtMs } = sshOf(turn, deps);
  const { podId } = turn.record.wanted;
  const status = await deps.runtime.exec(containerName(podId), HEAL_COMMAND, signal).catch((error: unknown) => error);
  deps.log.warn("SSH of a pod did not answer and was started anew", { podId, status });
  const failedAtMs = turn.ssh?.failedAtMs ?? deps.clock.now();
  const record = { ...turn.record, healedStartMs: startedAtMs };
  return { ...turn, record, ssh: { startedAtMs, state: "healing", failedAtMs } };
}

/** The container goes with all that the engine had set up for it; what it was made of stays. As if it had never run. */
async function remake(turn: Turn, context: StepContext): Promise<Turn> {
  const ended = await end(turn, context);
  const { podId } = turn.record.wanted;
  context.deps.log.warn("a pod that nobody could log in to is made anew", { podId });
  return { ...ended, record: { ...ended.record, remade: true, lastStart: undefined }, ssh: undefined };
}

function sshOf(turn: Turn, deps: StepDeps): { endpoint: SshEndpoint; startedAtMs: number } {
  const startedAtMs = turn.seen.container?.startedAtMs;
  const port = turn.record.ports.find((binding) => binding.containerPort === SSH_PORT)?.hostPort;
  if (port === undefined || startedAtMs === undefined) throw new AppError("internal", { message: "nothing to probe" });
  return { endpoint: { host: deps.probeAddress, port }, startedAtMs };
}

/** Notes how the main process ended, with its last lines: they are gone once the container is. */
async function examine(turn: Turn, { deps, signal }: StepContext): Promise<Turn> {
  const { container } = turn.seen;
  if (container?.finishedAtMs === undefined) throw new AppError("internal", { message: "nothing to examine" });
  const query = { tail: EXIT_LOG_LINES, follow: false };
  const log: string[] = [];
  try {
    for await (const { line } of deps.runtime.logs(container.name, query, signal)) log.push(line);
  } catch (error) {
    signal.throwIfAborted();
    deps.log.warn("the last lines of a pod cannot be read", { podId: turn.record.wanted.podId, error });
  }
  const hostWentDown = deps.hostWentDownAround(container.finishedAtMs);
  return { ...turn, record: withExit(turn.record, { container, hostWentDown, log }) };
}

async function stop(turn: Turn, { deps, signal }: StepContext): Promise<Turn> {
  const request = endRequest(turn, deps);
  orStuck(await haltContainer(request, { ...deps, ...deps.ending }, signal));
  return { ...turn, seen: { ...turn.seen, container: await deps.runtime.inspect(request.name, signal) } };
}

/** From whatever state, by the ladder; throws `pod-stuck` when something of it does not go. */
async function end(turn: Turn, { deps, signal }: StepContext): Promise<Turn> {
  orStuck(await endContainer(endRequest(turn, deps), { ...deps, ...deps.ending }, signal));
  return { ...turn, seen: { ...turn.seen, container: undefined } };
}

function endRequest({ record, seen }: Turn, { limits }: StepDeps): EndRequest {
  return {
    name: containerName(record.wanted.podId),
    graceSeconds: limits.stopGraceSeconds,
    ports: record.ports,
    containerId: seen.container?.id,
  };
}

function orStuck(result: EndResult | HaltResult): void {
  if (result.kind === "stuck") throw stuckError(result);
}

async function remove(turn: Turn, { deps, signal }: StepContext): Promise<Turn> {
  const { wanted } = turn.record;
  await deps.runtime.remove(containerName(wanted.podId), signal);
  const image = await withImageAccess(wanted, deps, (access) => deps.images.local(wanted.spec.image, access, signal));
  return { ...turn, seen: { ...turn.seen, container: undefined, image } };
}

/** What the pod held is free only when nobody on the host holds it for the pod any more. */
async function release(turn: Turn, { deps, signal }: StepContext): Promise<Turn> {
  const request = endRequest(turn, deps);
  if (!(await portsTrulyFree(request, { ...deps, ...deps.ending }, signal))) {
    const heldPorts = await deps.ending.processes.holdersOf(request.ports, signal);
    throw stuckError({ kind: "stuck", survivors: [], heldPorts, engineSays: undefined });
  }
  await deps.volumes.detach(turn.record.wanted.podId, signal);
  await removePodFiles(deps.dirsOf(turn.record));
  return { ...turn, record: { ...turn.record, overAt: new Date(deps.clock.now()).toISOString() } };
}

/** Notes the first time that a stage is reached. */
function stage(record: PodRecord, name: keyof Timeline, clock: Clock): PodRecord {
  if (record.timeline[name] !== undefined) return record;
  return { ...record, timeline: { ...record.timeline, [name]: Math.max(0, clock.now() - record.acceptedAtMs) } };
}
