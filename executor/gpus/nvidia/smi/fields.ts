/**
 * What nvidia-smi is asked for, and what becomes of a row of its answer. Of names that changed between drivers the first that
 * a driver knows is asked for.
 */
import type { AcceleratorReading, HealthReason, Known, ThrottleReason } from "../../../../protocol/accelerator.ts";
import { GpuUuid } from "../../../../protocol/ids.ts";
import { firstKnown, isUnavailable, knownOr, mapKnown, unavailable } from "../../known.ts";
import { pciAddress } from "../../pci-address.ts";
import {
  bytesValue,
  countValue,
  fabricHealth,
  fabricState,
  flagValue,
  numberValue,
  percentValue,
  recoveryValue,
  textValue,
} from "../../values.ts";
import { throttleReasonsOf } from "../throttle.ts";
import type { SmiTable } from "./table.ts";

const ALTERNATIVES: readonly (readonly string[])[] = [
  ["uuid", "gpu_uuid"],
  ["pci.bus_id", "gpu_bus_id"],
  ["index"],
  ["name", "gpu_name"],
  ["serial", "gpu_serial"],
  ["driver_version"],
  ["vbios_version"],
  ["memory.total"],
  ["memory.reserved"],
  ["memory.used"],
  ["memory.free"],
  ["utilization.gpu"],
  ["utilization.memory"],
  ["temperature.gpu"],
  ["temperature.memory"],
  ["temperature.gpu.tlimit"],
  ["fan.speed"],
  ["power.draw.instant", "power.draw"],
  ["enforced.power.limit", "power.limit"],
  ["power.default_limit"],
  ["clocks.current.sm", "clocks.sm"],
  ["clocks.current.memory", "clocks.mem"],
  ["clocks.max.sm"],
  ["clocks.max.memory", "clocks.max.mem"],
  ["pstate"],
  ["clocks_event_reasons.active", "clocks_throttle_reasons.active"],
  ["clocks_event_reasons_counters.sw_power_cap"],
  ["clocks_event_reasons_counters.sw_thermal_slowdown"],
  ["clocks_event_reasons_counters.hw_thermal_slowdown"],
  ["clocks_event_reasons_counters.hw_power_brake_slowdown"],
  ["ecc.mode.current"],
  ["ecc.mode.pending"],
  ["ecc.errors.corrected.volatile.total"],
  ["ecc.errors.uncorrected.volatile.total"],
  ["ecc.errors.corrected.aggregate.total"],
  ["ecc.errors.uncorrected.aggregate.total"],
  ["ecc.errors.uncorrected.aggregate.sram.thresholdExceeded"],
  ["remapped_rows.correctable"],
  ["remapped_rows.uncorrectable"],
  ["remapped_rows.pending"],
  ["remapped_rows.failure"],
  ["remapped_rows.histogram.none"],
  ["pcie.link.gen.current", "pcie.link.gen.gpucurrent"],
  ["pcie.link.gen.max"],
  ["pcie.link.width.current"],
  ["pcie.link.width.max"],
  ["persistence_mode"],
  ["gpu_recovery_action"],
  ["mig.mode.current"],
  ["fabric.state"],
  ["fabric.health.summary"],
];

/** Those of ours that `known` has; all first choices where nothing is known. */
export function columnsFor(known: ReadonlySet<string>): string[] {
  return ALTERNATIVES.flatMap((names) => (known.size === 0 ? names[0] : names.find((name) => known.has(name))) ?? []);
}

const OLD_NAMES = new Map(
  ALTERNATIVES.flatMap(([first = "", ...others]) => others.map((other) => [first, other] as const)),
);

/** A reading for each row that says which device it is, and for each device that was complained of. */
export function readingsOf({ rows, complaints }: SmiTable, source: string): AcceleratorReading[] {
  return [
    ...rows.flatMap((row) => readingOf((name) => row.get(name) ?? row.get(OLD_NAMES.get(name) ?? ""), source)),
    ...[...complaints].map(([address, message]) => complainedOf(address, message, source)),
  ];
}

/** Reads the column of this name, be it under an older one. */
type Cell = (name: string) => string | undefined;

function readingOf(cell: Cell, source: string): AcceleratorReading[] {
  const address = pciAddress(cell("pci.bus_id") ?? "");
  const uuid = GpuUuid.safeParse(cell("uuid"));
  const key = uuid.success ? uuid.data : address === undefined ? undefined : GpuUuid.parse(`PCI-${address}`);
  if (key === undefined) return [];
  return [
    {
      uuid: key,
      identity: uuid.success ? "vendor" : "pci",
      vendor: "nvidia",
      pciAddress: address ?? unavailable("not-read"),
      index: countValue(cell("index")),
      model: textValue(cell("name")),
      serial: textValue(cell("serial")),
      driver: { version: textValue(cell("driver_version")), firmware: textValue(cell("vbios_version")) },
      ...metricsOf(cell),
      ...countersOf(cell),
      partitioned: migOf(cell("mig.mode.current")),
      persistence: flagValue(cell("persistence_mode")),
      recoveryAction: recoveryValue(cell("gpu_recovery_action")),
      fabric: { state: fabricState(cell("fabric.state")), health: fabricHealth(cell("fabric.health.summary")) },
      sources: [source],
    },
  ];
}

function metricsOf(cell: Cell): Partial<AcceleratorReading> {
  const counter = (name: string): Known<number> => countValue(cell(`clocks_event_reasons_counters.${name}`));
  return {
    memory: {
      totalBytes: bytesValue(cell("memory.total")),
      reservedBytes: bytesValue(cell("memory.reserved")),
      usedBytes: bytesValue(cell("memory.used")),
      freeBytes: bytesValue(cell("memory.free")),
    },
    utilisation: {
      gpuPercent: percentValue(cell("utilization.gpu")),
      memoryPercent: percentValue(cell("utilization.memory")),
    },
    temperature: {
      gpuCelsius: numberValue(cell("temperature.gpu")),
      memoryCelsius: numberValue(cell("temperature.memory")),
      marginCelsius: numberValue(cell("temperature.gpu.tlimit")),
    },
    fanPercent: percentValue(cell("fan.speed")),
    power: {
      drawWatts: firstKnown(numberValue(cell("power.draw.instant")), numberValue(cell("power.draw"))),
      limitWatts: numberValue(cell("enforced.power.limit")),
      defaultLimitWatts: numberValue(cell("power.default_limit")),
    },
    clocks: {
      coreMhz: numberValue(cell("clocks.current.sm")),
      memoryMhz: numberValue(cell("clocks.current.memory")),
      maxCoreMhz: numberValue(cell("clocks.max.sm")),
      maxMemoryMhz: numberValue(cell("clocks.max.memory")),
    },
    performanceState: textValue(cell("pstate")),
    throttle: {
      reasons: mapBits(textValue(cell("clocks_event_reasons.active"))),
      powerCapMicros: counter("sw_power_cap"),
      swThermalMicros: counter("sw_thermal_slowdown"),
      hwThermalMicros: counter("hw_thermal_slowdown"),
      hwPowerBrakeMicros: counter("hw_power_brake_slowdown"),
    },
  };
}

function countersOf(cell: Cell): Partial<AcceleratorReading> {
  return {
    ecc: {
      enabled: flagValue(cell("ecc.mode.current")),
      pending: flagValue(cell("ecc.mode.pending")),
      correctedVolatile: countValue(cell("ecc.errors.corrected.volatile.total")),
      uncorrectedVolatile: countValue(cell("ecc.errors.uncorrected.volatile.total")),
      correctedAggregate: countValue(cell("ecc.errors.corrected.aggregate.total")),
      uncorrectedAggregate: countValue(cell("ecc.errors.uncorrected.aggregate.total")),
      sramThresholdExceeded: flagValue(cell("ecc.errors.uncorrected.aggregate.sram.thresholdExceeded")),
    },
    rows: {
      remappedCorrectable: countValue(cell("remapped_rows.correctable")),
      remappedUncorrectable: countValue(cell("remapped_rows.uncorrectable")),
      pending: flagOrCount(cell("remapped_rows.pending")),
      failed: flagOrCount(cell("remapped_rows.failure")),
      banksWithoutSpare: countValue(cell("remapped_rows.histogram.none")),
    },
    pcie: {
      generation: countValue(cell("pcie.link.gen.current")),
      width: countValue(cell("pcie.link.width.current")),
      maxGeneration: countValue(cell("pcie.link.gen.max")),
      maxWidth: countValue(cell("pcie.link.width.max")),
    },
  };
}

/** A device that cannot be cut at all is not cut. */
export function migOf(text: string | undefined): Known<boolean> {
  const mode = flagValue(text);
  return isUnavailable(mode) && mode.unavailable === "not-supported" ? false : mode;
}

/** Drivers write these either way. */
function flagOrCount(text: string | undefined): Known<boolean> {
  const flag = flagValue(text);
  return isUnavailable(flag)
    ? firstKnown(
        flag,
        mapKnown(countValue(text), (count) => count > 0),
      )
    : flag;
}

function mapBits(text: Known<string>): Known<ThrottleReason[]> {
  if (isUnavailable(text)) return text;
  return /^0x[0-9a-f]+$/i.test(text) ? throttleReasonsOf(Number(text)) : unavailable("error", text);
}

function complainedOf(address: string, message: string, source: string): AcceleratorReading {
  const isReset = /reset/i.test(message) && !/is lost/i.test(message);
  const reason: HealthReason = { code: isReset ? "reset-required" : "lost", message, fence: true };
  return {
    uuid: GpuUuid.parse(`PCI-${address}`),
    identity: "pci",
    vendor: "nvidia",
    pciAddress: address,
    health: { reasons: [reason] },
    sources: [source],
  };
}

/** A reading whose device is to be cut, which only another call says more of. */
export function isCut(reading: AcceleratorReading): boolean {
  return knownOr(reading.partitioned, false);
}
