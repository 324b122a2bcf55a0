/**
 * How the findings of challenges read for people. Pure.
 */
import type { Paint } from "../../common/cli/output.ts";
import { type Column, fields, table } from "../../common/cli/table.ts";
import type { InventoryResult } from "../../protocol/challenge/host-messages.ts";
import type { GpuFinding } from "../examiner/gpus.ts";
import type { BandwidthFinding, DiskFinding, PodFinding, PortFinding } from "../examiner/host.ts";
import { formatDuration, formatSize } from "./quantities.ts";

export function gpuFindingText(finding: GpuFinding, paint: Paint): string {
  const { multiplicationsPerSecond: rate } = finding;
  const columns: Column<GpuFinding["gpus"][number]>[] = [
    { title: "GPU", text: ({ uuid }) => uuid },
    {
      title: "PROOF",
      text: ({ ok, code }) => (ok ? "holds" : (code ?? "does not hold")),
      style: ({ ok }) => (ok ? "green" : "red"),
    },
    { title: "WHY", text: ({ message = "" }) => message },
  ];
  const times = fields(
    [
      ["filled", `${formatSize(finding.heldBytes)} on each`],
      ["committed in", formatDuration(finding.commitMs)],
      ["answered in", formatDuration(finding.answerMs)],
      ["checked in", formatDuration(finding.verifyMs)],
      ["speed", rate === undefined ? undefined : `${(rate / 1e12).toFixed(3)} x 10^12 multiplications/s on each`],
    ],
    paint,
  );
  return `${table(finding.gpus, columns, paint)}\n${times}`;
}

export function inventoryText(found: InventoryResult, paint: Paint): string {
  const columns: Column<InventoryResult["facts"][number]>[] = [
    { title: "FACT", text: ({ name }) => name },
    {
      title: "SAID",
      text: ({ said }) => said.map(({ source, value }) => `${source}: ${value}`).join("; "),
    },
    {
      title: "AGREE",
      text: ({ agree, why }) => (agree ? "yes" : `no: ${why ?? ""}`),
      style: ({ agree }) => (agree ? "green" : "yellow"),
    },
  ];
  const machine = fields(
    [
      ["system", `${found.os}, kernel ${found.kernel}, engine ${found.engineVersion}`],
      [
        "size",
        `${found.cpus} CPUs, ${formatSize(found.memoryBytes)} memory, ${formatSize(found.freeDiskBytes)} disk free`,
      ],
      ["GPUs", found.gpus.map(({ model }) => model).join(", ") || "none"],
      ["ports", found.ports.map(({ first, count }) => `${first} to ${first + count - 1}`).join(", ")],
      ["/dev/net/tun", found.hasTun ? "there" : "missing"],
    ],
    paint,
  );
  return `${machine}\n${table(found.facts, columns, paint)}`;
}

export function portsText(ports: readonly PortFinding[], paint: Paint): string {
  const columns: Column<PortFinding>[] = [
    { title: "PORT", text: ({ port, protocol }) => `${port}/${protocol}` },
    { title: "REACHED", text: ({ ok }) => (ok ? "yes" : "no"), style: ({ ok }) => (ok ? "green" : "red") },
    { title: "WHY", text: ({ message = "" }) => message },
  ];
  return table(ports, columns, paint);
}

export function diskText(
  { ok, bytes, writeBytesPerSecond, readBytesPerSecond, tookMs }: DiskFinding,
  paint: Paint,
): string {
  return fields(
    [
      ["disk", ok ? paint("green", "gave back what was written") : paint("red", "gave back something else")],
      ["written", `${formatSize(bytes)}, ${formatSize(writeBytesPerSecond)}/s as the host says`],
      ["read", `${formatSize(readBytesPerSecond)}/s as the host says`],
      ["in all", formatDuration(tookMs)],
    ],
    paint,
  );
}

export function bandwidthText({ ok, bytes, tookMs, mbps }: BandwidthFinding, paint: Paint): string {
  return fields(
    [
      ["stream", ok ? paint("green", "came whole") : paint("red", "is not the one that was asked for")],
      ["speed", `${formatSize(bytes)} in ${formatDuration(tookMs)}: ${mbps} Mbit/s to here`],
    ],
    paint,
  );
}

export function podText({ ok, podId, ssh, readyMs, banner }: PodFinding, paint: Paint): string {
  return fields(
    [
      ["pod", podId],
      ["ready in", formatDuration(readyMs)],
      ["ssh", `${ssh}: ${ok ? paint("green", banner) : paint("red", banner)}`],
    ],
    paint,
  );
}
