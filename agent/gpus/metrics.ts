/**
 * What hosts told of their accelerators as metrics, by device and by pod, in seconds, bytes, watts and shares of 1. What is
 * not known is left out and never zero; of a host that is away only that it is. A pod's series end with its hold. Pure.
 */
import type { Accelerator, Known } from "../../protocol/accelerator.ts";
import { type Family, type Metric, expositionText, type Sample } from "./exposition.ts";
import { podFamilies } from "./pod-metrics.ts";
import { heldUnits, type HeldUnit, knownNumber, knownText } from "./units.ts";
import { type TellingHost } from "./view.ts";

interface GpuMetric extends Metric {
  readonly of: (gpu: Accelerator) => Known<number> | boolean | undefined;
}

export interface MetricsInput {
  readonly hosts: readonly TellingHost[];
  /** Undefined for a pod that is not known here. */
  readonly ownerOf: (podId: HeldUnit["podId"]) => string | undefined;
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
}

export function metricsText({ hosts, ownerOf, nowMs }: MetricsInput): string {
  const live = hosts.filter(({ connected, told }) => connected && told !== undefined);
  const units = live.flatMap(heldUnits);
  return expositionText([...hostFamilies(hosts, nowMs), ...gpuFamilies(live, units), ...podFamilies(units, ownerOf)]);
}

function hostFamilies(hosts: readonly TellingHost[], nowMs: number): Family[] {
  const heard = hosts.filter(({ connected }) => connected);
  return [
    {
      name: "lium_host_connected",
      type: "gauge",
      help: "Whether the host is linked to this agent.",
      samples: hosts.map(({ hostId, name, connected }) => ({
        labels: { host: hostId, name },
        value: connected ? 1 : 0,
      })),
    },
    {
      name: "lium_gpu_report_age_seconds",
      type: "gauge",
      help: "How long ago the host last told of its GPUs.",
      samples: heard.map(({ hostId, told }) => ({
        labels: { host: hostId },
        value: told === undefined ? undefined : Math.max(0, nowMs - told.heardAtMs) / 1000,
      })),
    },
  ];
}

const MILLI = 1e-3;
const MICRO = 1e-6;
const MEGA = 1e6;

function scaled(value: Known<number>, factor: number): Known<number> {
  return typeof value === "number" ? value * factor : value;
}

function gauge(name: string, help: string, of: GpuMetric["of"]): GpuMetric {
  return { name: `lium_gpu_${name}`, type: "gauge", help, of };
}

function counter(name: string, help: string, of: GpuMetric["of"]): GpuMetric {
  return { name: `lium_gpu_${name}_total`, type: "counter", help, of };
}

const GPU_METRICS: readonly GpuMetric[] = [
  gauge("fenced", "Whether it is kept from being rented.", ({ health }) => health.state === "fenced"),
  gauge("utilisation_ratio", "Share of the time in which it computed.", (gpu) =>
    scaled(gpu.utilisation.gpuPercent, 0.01),
  ),
  gauge("memory_utilisation_ratio", "Share of the time in which its memory was read or written.", (gpu) =>
    scaled(gpu.utilisation.memoryPercent, 0.01),
  ),
  gauge("memory_total_bytes", "Memory it has.", ({ memory }) => memory.totalBytes),
  gauge("memory_used_bytes", "Memory that programs hold.", ({ memory }) => memory.usedBytes),
  gauge("temperature_celsius", "Of the chip.", ({ temperature }) => temperature.gpuCelsius),
  gauge("memory_temperature_celsius", "Of its memory.", ({ temperature }) => temperature.memoryCelsius),
  gauge("fan_ratio", "Of the fan's full speed.", ({ fanPercent }) => scaled(fanPercent, 0.01)),
  gauge("power_watts", "What it draws.", ({ power }) => power.drawWatts),
  gauge("power_limit_watts", "What it may draw.", ({ power }) => power.limitWatts),
  counter("energy_joules", "What it has drawn.", ({ power }) => scaled(power.energyMillijoules, MILLI)),
  gauge("core_clock_hertz", "Clock of its cores.", ({ clocks }) => scaled(clocks.coreMhz, MEGA)),
  gauge("memory_clock_hertz", "Clock of its memory.", ({ clocks }) => scaled(clocks.memoryMhz, MEGA)),
  gauge("rows_pending", "Whether rows of memory wait for a reset to be replaced.", ({ rows }) =>
    typeof rows.pending === "boolean" ? rows.pending : undefined,
  ),
  gauge("rows_failed", "Whether a row of memory could not be replaced.", ({ rows }) =>
    typeof rows.failed === "boolean" ? rows.failed : undefined,
  ),
  counter(
    "rows_remapped",
    "Rows of memory that were replaced after uncorrectable errors.",
    ({ rows }) => rows.remappedUncorrectable,
  ),
  gauge("pcie_generation", "Generation at which its PCIe link runs.", ({ pcie }) => pcie.generation),
  gauge("pcie_width", "Lanes on which its PCIe link runs.", ({ pcie }) => pcie.width),
  counter("pcie_replays", "Packets that its PCIe link sent again.", ({ pcie }) => pcie.replays),
  gauge("fabric_links_active", "NVLink or XGMI links that are up.", ({ fabricLinks }) =>
    Array.isArray(fabricLinks) ? fabricLinks.filter(({ active }) => active).length : undefined,
  ),
  gauge("partitions", "Parts that it is cut into.", ({ partitions }) => partitions.length),
];

function gpuFamilies(hosts: readonly TellingHost[], units: readonly HeldUnit[]): Family[] {
  const podOf = new Map(units.filter(({ part }) => part === undefined).map(({ gpu, podId }) => [gpu.uuid, podId]));
  const gpus = hosts.flatMap(({ hostId, told }) =>
    (told?.state.gpus ?? []).map((gpu) => ({ gpu, labels: labelsOf(hostId, gpu, podOf.get(gpu.uuid)) })),
  );
  const each = (samples: (gpu: Accelerator, labels: Sample["labels"]) => readonly Sample[]): Sample[] =>
    gpus.flatMap(({ gpu, labels }) => samples(gpu, labels));
  return [
    {
      name: "lium_gpu_info",
      type: "gauge",
      help: "One for each GPU: what it is.",
      samples: each((gpu, labels) => [{ labels: { ...labels, ...infoOf(gpu) }, value: 1 }]),
    },
    ...GPU_METRICS.map(({ of, ...metric }) => ({
      ...metric,
      samples: each((gpu, labels) => [{ labels, value: knownNumber(of(gpu)) }]),
    })),
    {
      name: "lium_gpu_health_reason",
      type: "gauge",
      help: "One for each reason that is held against a GPU now.",
      samples: each((gpu, labels) => gpu.health.reasons.map(({ code }) => ({ labels: { ...labels, code }, value: 1 }))),
    },
    {
      name: "lium_gpu_throttle_seconds_total",
      type: "counter",
      help: "For how long its clocks were held down, by reason.",
      samples: each((gpu, labels) =>
        throttleOf(gpu).map(([reason, value]) => ({ labels: { ...labels, reason }, value })),
      ),
    },
    {
      name: "lium_gpu_ecc_errors_total",
      type: "counter",
      help: "Errors of its memory over its life.",
      samples: each((gpu, labels) => [
        { labels: { ...labels, kind: "corrected" }, value: knownNumber(gpu.ecc.correctedAggregate) },
        { labels: { ...labels, kind: "uncorrected" }, value: knownNumber(gpu.ecc.uncorrectedAggregate) },
      ]),
    },
  ];
}

function labelsOf(host: string, gpu: Accelerator, pod: string | undefined): Sample["labels"] {
  return { host, uuid: gpu.uuid, model: knownText(gpu.model), pod };
}

function infoOf({ vendor, pciAddress, driver, simulated }: Accelerator): Sample["labels"] {
  return {
    vendor,
    pci: knownText(pciAddress),
    driver: knownText(driver.version),
    simulated: simulated ? "true" : undefined,
  };
}

function throttleOf({ throttle }: Accelerator): [reason: string, seconds: number | undefined][] {
  const seconds = (micros: Known<number>): number | undefined => knownNumber(scaled(micros, MICRO));
  return [
    ["power-cap", seconds(throttle.powerCapMicros)],
    ["sw-thermal", seconds(throttle.swThermalMicros)],
    ["hw-thermal", seconds(throttle.hwThermalMicros)],
    ["hw-power-brake", seconds(throttle.hwPowerBrakeMicros)],
  ];
}
