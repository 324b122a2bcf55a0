/**
 * How the fleet's accelerators read for people. Pure: a view and a moment in, text out. What is not known says why.
 */
import type { Paint, Style } from "../../common/cli/output.ts";
import { type Column, fields, table } from "../../common/cli/table.ts";
import { type Known, Unavailable } from "../../protocol/accelerator.ts";
import type { BreakerView, GpuDetails, GpuSummary } from "../../protocol/operator-gpus.ts";
import { formatDuration, formatSize } from "./quantities.ts";

const STYLE: Readonly<Record<GpuSummary["health"]["state"], Style>> = {
  healthy: "green",
  suspect: "yellow",
  fenced: "red",
};

export function gpuTable(gpus: readonly GpuSummary[], nowMs: number, paint: Paint): string {
  if (gpus.length === 0) return "No host has told of GPUs.";
  const columns: Column<GpuSummary>[] = [
    { title: "GPU", text: ({ uuid }) => uuid },
    { title: "MODEL", text: ({ model, simulated }) => `${said(model)}${simulated ? " (simulated)" : ""}` },
    { title: "HOST", text: ({ hostId }) => hostId },
    { title: "MEMORY", text: ({ memory }) => said(memory.totalBytes, formatSize) },
    { title: "USE", text: ({ utilisation }) => said(utilisation.gpuPercent, (percent) => `${percent} %`) },
    { title: "TEMP", text: ({ temperature }) => said(temperature.gpuCelsius, (celsius) => `${Math.round(celsius)} C`) },
    { title: "POWER", text: ({ power }) => said(power.drawWatts, (watts) => `${Math.round(watts)} W`) },
    { title: "PARTS", text: ({ parts }) => (parts.length === 0 ? "" : String(parts.length)) },
    { title: "PODS", text: ({ pods }) => pods.join(" ") },
    { title: "HEALTH", text: healthOf, style: ({ health }) => STYLE[health.state] },
    {
      title: "READ",
      text: ({ readAt, live }) =>
        `${formatDuration(Math.max(0, nowMs - Date.parse(readAt)))}${live ? "" : ", host away"}`,
    },
  ];
  return table(gpus, columns, paint);
}

function healthOf({ health }: Pick<GpuSummary, "health">): string {
  return [health.state, ...health.reasons.map(({ code }) => code)].join(" ");
}

/** Each value under the names that lead to it. */
export function gpuText({ gpu, pairs, holders, ...origin }: GpuDetails, paint: Paint): string {
  const rows = [
    ...linesOf("", { ...origin, ...gpu }),
    ...holders.map(({ uuid, podId }) => ["pod", `${podId} has ${uuid}`] as const),
    ...pairs.map(({ a, b, path, nvlinks, overSwitch, xgmiWeight }) => {
      const over = [`path ${said(path)}`, `nvlinks ${said(nvlinks)}`, `xgmi weight ${said(xgmiWeight)}`];
      return ["pair", [a === gpu.uuid ? b : a, ...over, ...(overSwitch ? ["over switches"] : [])].join("  ")] as const;
    }),
  ];
  return fields(rows, paint);
}

function linesOf(name: string, value: unknown): (readonly [string, string])[] {
  if (Array.isArray(value))
    return [[name, value.map((one) => (typeof one === "object" ? JSON.stringify(one) : String(one))).join(" ")]];
  if (typeof value !== "object" || value === null) return [[name, String(value)]];
  const why = Unavailable.safeParse(value).data;
  if (why !== undefined) return [[name, whyNot(why)]];
  return Object.entries(value).flatMap(([inner, of]) => linesOf(name === "" ? inner : `${name}.${inner}`, of));
}

function said<T extends string | number>(value: Known<T>, text: (value: T) => string = String): string {
  return typeof value === "object" ? whyNot(value) : text(value);
}

function whyNot({ unavailable, detail }: Unavailable): string {
  return `(${unavailable}${detail === undefined ? "" : `: ${detail}`})`;
}

export function breakerText({ tripped, since = "", hosts = [] }: BreakerView): string {
  if (!tripped) return "Hosts may reset their GPUs by themselves.";
  return `Since ${since} no host resets or boots anything by itself: GPUs failed on ${hosts.join(", ")}. See what they share; then \`lium-agent gpus resume\`.`;
}
