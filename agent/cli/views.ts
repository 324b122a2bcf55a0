/**
 * How pods, hosts, offers and events read for people. Pure: a view and a moment in, text out.
 */
import { type Paint, printable, type Style } from "../../common/cli/output.ts";
import { type Column, fields, table } from "../../common/cli/table.ts";
import type { Capacity, Offer } from "../../protocol/capacity.ts";
import type { Gpu } from "../../protocol/gpu.ts";
import type { HostResources } from "../../protocol/host.ts";
import type { AgentStatus, HostView } from "../../protocol/operator-api.ts";
import type { LogLine, PodEvent, PodExit, PodPhase, PodView } from "../../protocol/pod.ts";
import { formatDuration, formatSize } from "./quantities.ts";

const PHASE_STYLE: Readonly<Record<PodPhase, Style>> = {
  pending: "yellow",
  pulling: "yellow",
  creating: "yellow",
  starting: "yellow",
  running: "green",
  degraded: "red",
  stopping: "yellow",
  stopped: "dim",
  exited: "red",
  ending: "yellow",
  ended: "dim",
  failed: "red",
  unknown: "red",
};

/** What a renter types, once the pod has an SSH server. */
export function sshLine({ status: { ssh } }: PodView): string | undefined {
  return ssh === undefined ? undefined : `ssh -p ${ssh.port} ${ssh.user}@${ssh.host}`;
}

export function podTable(pods: readonly PodView[], nowMs: number, paint: Paint): string {
  if (pods.length === 0) return "No pods.";
  const columns: Column<PodView>[] = [
    { title: "POD", text: ({ podId }) => podId },
    { title: "HOST", text: ({ hostId }) => hostId },
    { title: "PHASE", text: phaseText, style: ({ status }) => PHASE_STYLE[status.phase] },
    { title: "GPUS", text: gpusOfPod },
    { title: "IMAGE", text: ({ spec }) => spec.image },
    { title: "AGE", text: ({ createdAt }) => age(createdAt, nowMs) },
    { title: "SSH", text: (pod) => sshLine(pod) ?? "" },
  ];
  return table(pods, columns, paint);
}

export function podText(pod: PodView, paint: Paint): string {
  const { spec, status } = pod;
  const { ssh, exit, reason } = status;
  const timeline = Object.entries(status.timelineMs).map(([stage, ms]) => `${stage} ${Math.round(ms ?? 0)} ms`);
  return fields(
    [
      ["pod", pod.podId],
      ["owner", pod.owner],
      ["host", pod.hostId],
      ["phase", `${phaseText(pod)} since ${status.since}`],
      ["reason", reason === undefined ? undefined : `${reason.code}: ${reason.message}`],
      ["exit", exit === undefined ? undefined : exitText(exit)],
      ["last line", exit?.log?.at(-1)],
      ["unbilled", status.unbilledSince === undefined ? undefined : `since ${status.unbilledSince}`],
      ["end", status.endReason],
      ["goal", pod.goal],
      ["image", spec.image],
      ["command", [...(spec.entrypoint ?? []), ...(spec.command ?? [])].join(" ")],
      ["gpus", status.gpus.join(", ")],
      ["size", `${spec.cpus} CPUs, ${formatSize(spec.memoryBytes)} memory, ${formatSize(spec.diskBytes)} disk`],
      ["volume", spec.volume === undefined ? undefined : `${spec.volume.name} at ${spec.volume.mountPath}`],
      ["ports", status.ports.map((port) => `${port.containerPort}/${port.protocol} at ${port.publicPort}`).join(", ")],
      ["lease", `until ${spec.lease.expiresAt}, then ${formatDuration(spec.lease.graceSeconds * 1000)} of grace`],
      [
        "labels",
        Object.entries(spec.labels)
          .map(([name, value]) => `${name}=${value}`)
          .join(", "),
      ],
      ["created", pod.createdAt],
      ["timeline", timeline.join(", ")],
      ["host key", ssh?.hostKey],
      ["ssh", sshLine(pod)],
    ],
    paint,
  );
}

function exitText({ code, oomKilled, at, cause, tries, nextTryAt }: PodExit): string {
  const why = cause ?? (oomKilled ? "out of memory" : undefined);
  const again = nextTryAt === undefined ? "not started again" : `started again at ${nextTryAt}`;
  const parts = [`code ${code}`, why, `at ${at}`, tries === undefined ? undefined : `try ${tries}, ${again}`];
  return parts.filter((part) => part !== undefined).join(", ");
}

function phaseText({ status, claimed, live }: PodView): string {
  return [status.phase, claimed ? "" : "unclaimed", live ? "" : "host away"].filter((word) => word !== "").join(", ");
}

function gpusOfPod({ status, spec }: PodView): string {
  const count = Math.max(status.gpus.length, spec.gpus.count);
  return count === 0 ? "" : [count, spec.gpus.model].filter((word) => word !== undefined).join(" ");
}

export function hostTable(hosts: readonly HostView[], nowMs: number, paint: Paint): string {
  if (hosts.length === 0) return "No hosts yet: make a join token with `lium-agent invite`.";
  const columns: Column<HostView>[] = [
    { title: "HOST", text: ({ hostId }) => hostId },
    { title: "NAME", text: ({ name }) => name },
    {
      title: "STATE",
      text: hostState,
      style: (view) => (hostState(view) === "connected" ? "green" : "red"),
    },
    { title: "GPUS", text: ({ facts }) => gpuSummary(facts?.gpus ?? []) },
    { title: "CPUS", text: ({ facts }) => facts?.rentable.cpus.toString() ?? "" },
    { title: "MEMORY", text: ({ facts }) => (facts === undefined ? "" : formatSize(facts.rentable.memoryBytes)) },
    { title: "DISK", text: ({ facts }) => (facts === undefined ? "" : formatSize(facts.rentable.diskBytes)) },
    { title: "PODS", text: ({ pods }) => pods.toString() },
    { title: "SEEN", text: ({ lastSeenAt }) => (lastSeenAt === undefined ? "never" : age(lastSeenAt, nowMs)) },
    { title: "ADDRESS", text: ({ facts }) => facts?.publicAddress ?? "" },
  ];
  return table(hosts, columns, paint);
}

function hostState({ connected, facts }: HostView): string {
  if (!connected) return "away";
  return facts === undefined || facts.problems.length === 0 ? "connected" : "in trouble";
}

export function hostText(host: HostView, paint: Paint): string {
  const { facts } = host;
  return fields(
    [
      ["host", host.hostId],
      ["name", host.name],
      ["state", hostState(host)],
      ["enrolled", host.enrolledAt],
      ["last seen", host.lastSeenAt ?? "never"],
      ["pods", host.pods.toString()],
      ["address", facts?.publicAddress],
      ["system", facts && `${facts.os}, ${facts.kernel}, ${facts.arch}`],
      ["processor", facts?.cpuModel],
      ["engine", facts?.engineVersion],
      ["executor", facts?.executorVersion],
      ["rentable", facts && resources(facts.rentable)],
      ["total", facts && resources(facts.total)],
      ...(facts?.gpus ?? []).map(
        (gpu) => ["gpu", `${gpu.uuid}  ${gpuName(gpu)}, ${formatSize(gpu.memoryBytes)}`] as const,
      ),
      ...(facts?.problems ?? []).map(({ code, message }) => ["problem", `${code}: ${message}`] as const),
      ["sealing key", facts?.sealingKey],
    ],
    paint,
  );
}

export function capacityTable({ offers }: Capacity, paint: Paint): string {
  if (offers.length === 0) return "Nothing to rent: no host is connected.";
  const columns: Column<Offer>[] = [
    { title: "HOST", text: ({ hostId }) => hostId },
    { title: "FREE GPUS", text: ({ gpus }) => `${gpus.filter(({ free }) => free).length} of ${gpus.length}` },
    { title: "MODEL", text: ({ gpus }) => gpuSummary(gpus) },
    { title: "FREE CPUS", text: ({ free, total }) => `${free.cpus} of ${total.cpus}` },
    {
      title: "FREE MEMORY",
      text: ({ free, total }) => `${formatSize(free.memoryBytes)} of ${formatSize(total.memoryBytes)}`,
    },
    {
      title: "FREE DISK",
      text: ({ free, total }) => `${formatSize(free.diskBytes)} of ${formatSize(total.diskBytes)}`,
    },
    { title: "ADDRESS", text: ({ publicAddress }) => publicAddress },
  ];
  return table(offers, columns, paint);
}

export function statusText(status: AgentStatus, nowMs: number, paint: Paint): string {
  const { hosts, pods } = status;
  return fields(
    [
      ["agent", `${status.version}, up ${age(status.startedAt, nowMs)}`],
      ["hotkey", status.hotkey],
      ["network", status.network],
      ["hosts", `${hosts.connected} of ${hosts.total} connected`],
      ["pods", `${pods.running} running, ${pods.other} other, ${pods.unclaimed} unclaimed`],
      ["validators", status.validatorUrl],
      ["executors", status.linkUrl],
    ],
    paint,
  );
}

export function eventText({ cursor, at, code, message, fault }: PodEvent, paint: Paint): string {
  const whose = fault === "none" ? "" : paint("yellow", ` (${fault})`);
  return `${paint("dim", `${cursor}  ${at}`)}  ${printable(code)}  ${printable(message)}${whose}`;
}

/** The line is made harmless for a terminal; --json has every byte of it. */
export function logText({ at, stream, line }: LogLine, timestamps: boolean, paint: Paint): string {
  const text = stream === "stderr" ? paint("yellow", printable(line)) : printable(line);
  return timestamps ? `${paint("dim", printable(at))} ${text}` : text;
}

function resources({ cpus, memoryBytes, diskBytes }: HostResources): string {
  return `${cpus} CPUs, ${formatSize(memoryBytes)} memory, ${formatSize(diskBytes)} disk`;
}

function gpuName({ model, simulated }: Pick<Gpu, "model" | "simulated">): string {
  return simulated ? `${model} (simulated)` : model;
}

function gpuSummary(gpus: readonly Pick<Gpu, "model" | "simulated">[]): string {
  const byName = Map.groupBy(gpus, gpuName);
  return [...byName].map(([name, group]) => `${group.length} x ${name}`).join(", ");
}

function age(at: string, nowMs: number): string {
  return formatDuration(nowMs - Date.parse(at));
}
