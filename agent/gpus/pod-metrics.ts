/**
 * What pods have of accelerators, as metrics. A sum over a pod's devices is told only where each of them is known: a part
 * of a sum would read like the whole. Pure.
 */
import type { Known } from "../../protocol/accelerator.ts";
import type { PodId } from "../../protocol/ids.ts";
import type { Family, Metric } from "./exposition.ts";
import { type HeldUnit, knownNumber } from "./units.ts";

interface PodMetric extends Metric {
  readonly of: (units: readonly HeldUnit[]) => number | undefined;
}

function gauge(name: string, help: string, of: PodMetric["of"]): PodMetric {
  return { name: `lium_pod_gpu${name}`, type: "gauge", help, of };
}

const POD_METRICS: readonly PodMetric[] = [
  gauge("s", "GPUs, and parts of GPUs, that the pod has.", (units) => units.length),
  gauge("s_fenced", "How many of them are kept from being rented again.", (units) =>
    sum(units, ({ gpu }) => (gpu.health.state === "fenced" ? 1 : 0)),
  ),
  gauge("_memory_total_bytes", "Memory of its GPUs.", (units) =>
    sum(units, ({ gpu, part }) => (part ?? gpu).memory.totalBytes),
  ),
  gauge("_memory_used_bytes", "Memory that its programs hold on them.", (units) =>
    sum(units, ({ gpu, part }) => (part ?? gpu).memory.usedBytes),
  ),
  gauge("_power_watts", "What its whole GPUs draw.", (units) =>
    sum(
      units,
      whole(({ power }) => power.drawWatts),
    ),
  ),
  gauge("_utilisation_ratio", "Share of the time in which its whole GPUs computed, on average.", (units) => {
    const percent = sum(
      units,
      whole(({ utilisation }) => utilisation.gpuPercent),
    );
    return percent === undefined ? undefined : percent / units.length / 100;
  }),
];

export function podFamilies(units: readonly HeldUnit[], ownerOf: (podId: PodId) => string | undefined): Family[] {
  const pods = [...Map.groupBy(units, ({ podId }) => podId)].map(([podId, held]) => ({
    held,
    labels: { host: held[0]?.hostId, pod: podId, owner: ownerOf(podId) },
  }));
  return POD_METRICS.map(({ of, ...metric }) => ({
    ...metric,
    samples: pods.map(({ held, labels }) => ({ labels, value: of(held) })),
  }));
}

/** Of a part nobody measures what the whole device does. */
function whole(of: (gpu: HeldUnit["gpu"]) => Known<number>): (unit: HeldUnit) => Known<number> | undefined {
  return ({ gpu, part }) => (part === undefined ? of(gpu) : undefined);
}

function sum(units: readonly HeldUnit[], of: (unit: HeldUnit) => Known<number> | undefined): number | undefined {
  const values = units.map((unit) => knownNumber(of(unit)));
  return values.includes(undefined) ? undefined : values.reduce<number>((total, value) => total + (value ?? 0), 0);
}
