/**
 * Answers a challenge of this host, and holds open what it speaks of until the validator has seen it or its time is over. What would
 * slow a renter's pod is refused while there is one.
 */
import type { Clock } from "../../../common/clock.ts";
import { streamKey } from "../../../protocol/challenge/host-checks.ts";
import type { HostTask, InventoryResult, PortsResult, PublicPort } from "../../../protocol/challenge/host-messages.ts";
import { portTokenBytes } from "../../../protocol/challenge/signing.ts";
import { AppError } from "../../../protocol/errors.ts";
import type { PodId } from "../../../protocol/ids.ts";
import type { PodPhase, PodStatus } from "../../../protocol/pod.ts";
import { choosePorts, type PortRange, publicPort } from "../../pods/ports.ts";
import type { Examining, HostIdentity } from "../desk.ts";
import type { HostPort } from "./window/window.ts";
import type { DiskAnswer, WindowRequest } from "./words.ts";

export interface ExamineDeps {
  readonly identity: HostIdentity;
  readonly inventory: (signal: AbortSignal) => Promise<InventoryResult>;
  readonly measureDisk: (examining: Examining, bytes: number) => Promise<DiskAnswer>;
  /** Runs `work` while they are open. Rejects with `port-busy` where one of them is taken. */
  readonly withWindow: (
    open: { readonly ports: readonly HostPort[]; readonly request: WindowRequest },
    work: () => Promise<void>,
    signal: AbortSignal,
  ) => Promise<void>;
  readonly ranges: readonly PortRange[];
  readonly isPortFree: (port: number, protocol: "tcp" | "udp") => Promise<boolean>;
  /** How many pods are here; undefined while nobody knows. */
  readonly livePods: () => number | undefined;
  readonly podStatus: (podId: PodId) => PodStatus | undefined;
  readonly onPodStatus: (listener: () => void) => () => void;
  readonly clock: Clock;
}

/** From which no pod of a challenge comes to run any more. */
const NOT_COMING: ReadonlySet<PodPhase> = new Set(["failed", "ended", "ending", "exited", "stopping", "stopped"]);

type Task<K extends HostTask["kind"]> = Extract<HostTask, { readonly kind: K }>;

/** Rejects with what kept the host from answering. */
export async function examineHost(examining: Examining, deps: ExamineDeps): Promise<void> {
  const { answer, signal } = examining;
  const { task } = examining.challenge;
  switch (task.kind) {
    case "inventory":
      return answer(await deps.inventory(signal));
    case "ports":
      return showPorts(examining, task, deps);
    case "disk":
      refuseBesidePods(deps);
      return answer({ kind: "disk", ...(await deps.measureDisk(examining, task.bytes)) });
    case "bandwidth":
      refuseBesidePods(deps);
      return showStream(examining, task, deps);
    case "pod":
      return showPod(examining, task, deps);
  }
}

async function showPorts(examining: Examining, task: Task<"ports">, deps: ExamineDeps): Promise<void> {
  const { id, answer, signal } = examining;
  const asked = await Promise.all(task.ports.map((port) => findPort(port, deps)));
  const open = asked.filter((port) => "hostPort" in port);
  const refused: PortsResult["refused"] = asked.flatMap((port) => ("hostPort" in port ? [] : [port]));
  const tokens = open.map(({ hostPort, protocol, port }) => ({
    port: hostPort,
    protocol,
    token: Buffer.from(deps.identity.sign(portTokenBytes(id, { port, protocol }))).toString("base64"),
  }));
  const show = async (): Promise<void> => {
    const shown: PublicPort[] = open.map(({ port, protocol }) => ({ port, protocol }));
    await answer({ kind: "ports", open: shown, refused });
    await holdOpen(task.openSeconds, deps, signal);
  };
  if (open.length === 0) return answer({ kind: "ports", open: [], refused });
  await deps.withWindow({ ports: open, request: { challengeId: id, tokens } }, show, signal);
}

async function showStream(examining: Examining, task: Task<"bandwidth">, deps: ExamineDeps): Promise<void> {
  const { id, challenge, answer, signal } = examining;
  const hostPort = await freePort(id, deps);
  const stream = { port: hostPort, key: streamKey(challenge).toString("hex"), bytes: task.bytes };
  const show = async (): Promise<void> => {
    await answer({ kind: "bandwidth", port: publicPort(hostPort, deps.ranges) });
    await holdOpen(task.openSeconds, deps, signal);
  };
  const ports = [{ hostPort, protocol: "tcp" }] as const;
  await deps.withWindow({ ports, request: { challengeId: id, tokens: [], stream } }, show, signal);
}

/** The agent has rented the pod as for anybody, and ends it. */
async function showPod(examining: Examining, task: Task<"pod">, deps: ExamineDeps): Promise<void> {
  const { podId, answer, signal } = examining;
  if (podId === undefined) throw new AppError("challenge-refused", { message: "There is no pod to show." });
  const { ssh, gpus } = await untilRunning(podId, deps, signal);
  if (ssh === undefined) throw new AppError("challenge-failed", { message: "The pod runs without SSH." });
  await answer({ kind: "pod", podId, ssh, gpus });
  await holdOpen(task.openSeconds, deps, signal);
}

async function untilRunning(podId: PodId, deps: ExamineDeps, signal: AbortSignal): Promise<PodStatus> {
  const done = Promise.withResolvers<PodStatus>();
  const look = (): void => {
    const status = deps.podStatus(podId);
    if (status?.phase === "running") done.resolve(status);
    else if (status !== undefined && NOT_COMING.has(status.phase)) {
      const why = status.reason?.message ?? status.phase;
      done.reject(new AppError("challenge-failed", { message: `The pod does not run: ${why}` }));
    }
  };
  const stop = deps.onPodStatus(look);
  const giveUp = (): void => done.reject(signal.reason);
  signal.addEventListener("abort", giveUp, { once: true });
  try {
    signal.throwIfAborted();
    look();
    return await done.promise;
  } finally {
    stop();
    signal.removeEventListener("abort", giveUp);
  }
}

/** Until the time is over, or the validator has seen enough. */
async function holdOpen(seconds: number, { clock }: ExamineDeps, signal: AbortSignal): Promise<void> {
  await clock.sleep(seconds * 1000, signal).catch(() => undefined);
}

type Refusal = PortsResult["refused"][number];

async function findPort(asked: PublicPort, deps: ExamineDeps): Promise<(PublicPort & HostPort) | Refusal> {
  const { port, protocol } = asked;
  const range = deps.ranges.find(({ external, count }) => port >= external && port < external + count);
  if (range === undefined) {
    return { ...asked, code: "port-unknown", message: "It is not one of the ports that this host gives to pods." };
  }
  const hostPort = range.internal + (port - range.external);
  if (await deps.isPortFree(hostPort, protocol)) return { ...asked, hostPort };
  return { ...asked, code: "port-busy", message: "A pod, or another program, uses it." };
}

async function freePort(id: string, { ranges, isPortFree }: ExamineDeps): Promise<number> {
  const busy = new Set<string>();
  for (;;) {
    const [chosen] = choosePorts({
      holder: id,
      requests: [{ containerPort: 1, protocol: "tcp" }],
      ranges,
      isTaken: (key) => busy.has(key),
    }) ?? [undefined];
    if (chosen === undefined) throw new AppError("challenge-failed", { message: "No port of the host is free." });
    if (await isPortFree(chosen.hostPort, "tcp")) return chosen.hostPort;
    busy.add(`${chosen.hostPort}/tcp`);
  }
}

function refuseBesidePods({ livePods }: ExamineDeps): void {
  if (livePods() !== 0) throw new AppError("challenge-disturbs");
}
