/**
 * The end of a container, by a ladder on which every rung has a limit: ask it to stop, kill it through the engine, kill
 * its processes and its shim from outside, and only when nothing of it lives remove it from the engine. So the engine's
 * container is the memory: whoever comes after a crash finds its id there and goes on. What survives is told as `stuck`.
 *
 * All of it together ends within the grace and 50 s, waits for no other container, and may be repeated at any point.
 */
import type { Clock } from "../../common/clock.ts";
import type { Logger } from "../../common/logger.ts";
import { AppError, toAppError } from "../../protocol/errors.ts";
import type { EndingEngine, FoundContainer } from "../docker/ending.ts";
import type { HostPort, HostProcess, HostProcesses, PortHolder } from "../host/processes/host-processes.ts";

export interface EndRequest {
  /** Of the container. */
  readonly name: string;
  readonly graceSeconds: number;
  /** The host's ports that are its own until it is gone. */
  readonly ports: readonly HostPort[];
  /** Where it is known: then survivors are found even if somebody else removed the container from the engine. */
  readonly containerId?: string | undefined;
}

export interface EndingDeps {
  readonly engine: EndingEngine;
  readonly processes: HostProcesses;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Something of the container is left and cannot be made to go. */
export interface Stuck {
  readonly kind: "stuck";
  readonly survivors: readonly HostProcess[];
  readonly heldPorts: readonly PortHolder[];
  /** What the engine said when it was asked last to remove the container. */
  readonly engineSays: string | undefined;
}

export type EndResult = { readonly kind: "gone" } | Stuck;
export type HaltResult = { readonly kind: "halted" } | Stuck;

/** How long each rung may take, in milliseconds; the first one after the grace. */
const STOP_MS = 4_000;
const KILL_MS = 4_000;
const OUTSIDE_MS = 8_000;
/** containerd gives itself 5 s to clear up behind a shim that died. */
const SETTLE_MS = 10_000;
const REMOVE_MS = 12_000;
const PORTS_MS = 2_000;
/** A shim that did its work ends by itself within so long. */
const SHIM_PATIENCE_MS = 2_000;
const POLL_MS = 200;

/**
 * Ends a container and removes it. `gone`: the engine has forgotten it, no process of it lives and nobody listens on its
 * ports for it. Rejects with `engine-unavailable` when the engine does not answer: then nothing is known, try again later.
 */
export async function endContainer(request: EndRequest, deps: EndingDeps, signal: AbortSignal): Promise<EndResult> {
  const halted = await haltContainer(request, deps, signal);
  if (halted.kind === "stuck") return halted;
  const engineSays = await remove(request.name, deps, signal);
  if (engineSays !== undefined) return stuck(request, { survivors: [], engineSays }, { deps, signal });
  const free = await waitUntil(() => portsTrulyFree(request, deps, signal), PORTS_MS, { deps, signal });
  return free ? { kind: "gone" } : stuck(request, { survivors: [] }, { deps, signal });
}

/** Makes sure that nothing of a container runs, and keeps it. Rejects as `endContainer` does. */
export async function haltContainer(request: EndRequest, deps: EndingDeps, signal: AbortSignal): Promise<HaltResult> {
  const { engine } = deps;
  const { name, graceSeconds } = request;
  const first = await engine.find(name, signal);
  const id = first?.id ?? request.containerId;
  if (id === undefined) return { kind: "halted" };

  const rungs = [
    () => engine.stop(id, { graceSeconds, withinMs: graceSeconds * 1000 + STOP_MS }, signal),
    () => engine.kill(id, { withinMs: KILL_MS }, signal),
  ];
  for (const rung of rungs) if (isUp(await engine.find(name, signal))) await attempt(rung, request, { deps, signal });

  const survivors = await killFromOutside(id, deps, signal);
  if (survivors.length > 0) return stuck(request, { survivors }, { deps, signal });
  // What the engine thinks of it afterwards decides nothing: there is no process left, and removing it is forced.
  await waitUntil(async () => !isUp(await engine.find(name, signal)), SETTLE_MS, { deps, signal });
  return { kind: "halted" };
}

/** Whether nobody listens on these ports on behalf of the container: neither itself nor the engine for it. */
export async function portsTrulyFree(
  { name, ports }: Pick<EndRequest, "name" | "ports">,
  { engine, processes }: Pick<EndingDeps, "engine" | "processes">,
  signal: AbortSignal,
): Promise<boolean> {
  const holders = await processes.holdersOf(ports, signal);
  const engines = holders.filter(({ command }) => ENGINE_COMMANDS.has(command));
  if (engines.length === 0) return true;
  const published = await engine.publishedPorts(signal);
  return engines.every(({ hostPort, protocol }) =>
    published.some(
      (other) => other.hostPort === hostPort && other.protocol === protocol && other.containerName !== name,
    ),
  );
}

/** Who listens on published ports: the engine's proxies, or the engine itself. */
const ENGINE_COMMANDS = new Set(["docker-proxy", "dockerd", "rootlesskit"]);

/** What the operator and the agent are told; the step that met it is tried again. */
export function stuckError({ survivors, heldPorts, engineSays }: Stuck): AppError {
  const words = [
    ...survivors.map(({ pid, command, state, waitsIn }) => {
      return `process ${pid} (${command}) does not die, state ${state}${waitsIn === "" ? "" : ` in ${waitsIn}`}`;
    }),
    ...heldPorts.map(({ hostPort, protocol, pid, command }) => {
      return `port ${hostPort}/${protocol} is held by ${pid === undefined ? "the kernel" : `process ${pid} (${command})`}`;
    }),
    ...(engineSays === undefined ? [] : [`the engine says: ${engineSays}`]),
  ];
  const message = `Something of the pod is left: ${words.join("; ")}.`;
  return new AppError("pod-stuck", { message, details: { survivors, heldPorts, engineSays } });
}

interface Context {
  readonly deps: EndingDeps;
  readonly signal: AbortSignal;
}

/** A rung that fails is followed by the next one; only the caller's own signal ends the climb. */
async function attempt(rung: () => Promise<void>, request: EndRequest, { deps, signal }: Context): Promise<void> {
  try {
    await rung();
  } catch (error) {
    signal.throwIfAborted();
    const { code, message } = toAppError(error);
    deps.log.warn("a container did not end as it should", { container: request.name, code, message });
  }
}

/**
 * Kills every process of the container until none is left or the rung's time is up; resolves with the survivors. A shim
 * goes only when it is in the way: when it is stopped, or stays after all others are gone. A living shim is what tells the
 * engine of an end that comes late.
 */
async function killFromOutside(
  id: string,
  { processes, clock }: EndingDeps,
  signal: AbortSignal,
): Promise<HostProcess[]> {
  const beganMs = clock.monotonic();
  for (;;) {
    const { members, shims } = await processes.ofContainer(id, signal);
    if (members.length === 0 && shims.length === 0) return [];
    const passedMs = clock.monotonic() - beganMs;
    if (passedMs >= OUTSIDE_MS) return members.length > 0 ? [...members] : [...shims];
    const idle = members.length === 0 && passedMs >= SHIM_PATIENCE_MS;
    processes.thaw(id, members);
    processes.kill(id, [...members, ...shims.filter(({ state }) => idle || state === "T")]);
    await clock.sleep(POLL_MS, signal);
  }
}

/** Resolves with undefined when the container is gone, with the engine's last words when it would not go. */
async function remove(name: string, { engine, clock }: EndingDeps, signal: AbortSignal): Promise<string | undefined> {
  const endMs = clock.monotonic() + REMOVE_MS;
  let engineSays = "the removal is under way";
  for (;;) {
    const container = await engine.find(name, signal);
    if (container === undefined) return undefined;
    const leftMs = endMs - clock.monotonic();
    if (leftMs <= 0) return engineSays;
    try {
      await engine.remove(container.id, { withinMs: Math.ceil(leftMs) }, signal);
    } catch (error) {
      signal.throwIfAborted();
      engineSays = toAppError(error).message;
    }
    if ((await engine.find(name, signal)) === undefined) return undefined;
    await clock.sleep(POLL_MS, signal);
  }
}

async function stuck(
  request: EndRequest,
  what: Pick<Stuck, "survivors"> & { readonly engineSays?: string },
  { deps, signal }: Context,
): Promise<Stuck> {
  const heldPorts = await deps.processes.holdersOf(request.ports, signal);
  return { kind: "stuck", heldPorts, survivors: what.survivors, engineSays: what.engineSays };
}

function isUp(container: FoundContainer | undefined): boolean {
  return container?.state === "running" || container?.state === "paused";
}

async function waitUntil(holds: () => Promise<boolean>, limitMs: number, { deps, signal }: Context): Promise<boolean> {
  const endMs = deps.clock.monotonic() + limitMs;
  while (!(await holds())) {
    if (deps.clock.monotonic() >= endMs) return false;
    await deps.clock.sleep(POLL_MS, signal);
  }
  return true;
}
