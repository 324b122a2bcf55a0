/**
 * The log of `nvidia-smi -q -x` of any driver from 4xx on as readings: names that drivers renamed, one device or several, and
 * texts where a number or a block should be. Pure.
 */
import type {
  AcceleratorReading,
  GpuProcess,
  Known,
  Partition,
  ThrottleReason,
} from "../../../../protocol/accelerator.ts";
import { GpuUuid } from "../../../../protocol/ids.ts";
import { firstKnown, isUnavailable, unavailable } from "../../known.ts";
import { all, at, isBlock, type Node, text } from "../../node.ts";
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
import { migOf } from "../smi/fields.ts";
import { eccOf, rowsOf } from "./errors.ts";

/** Undefined where it is no such log. */
export function readLog(
  document: unknown,
): { readings: AcceleratorReading[]; attached: Known<number>; driver: Known<string> } | undefined {
  const log = at(document, "nvidia_smi_log");
  if (!isBlock(log)) return undefined;
  const driver = textValue(text(log, "driver_version"));
  const runtimeVersion = textValue(text(log, "cuda_version"));
  const gpus = all(at(log, "gpu")).filter(isBlock);
  return {
    readings: gpus.flatMap((gpu, index) => readingOf(gpu, { index, driver, runtimeVersion })),
    attached: countValue(text(log, "attached_gpus")),
    driver,
  };
}

interface LogFacts {
  readonly index: number;
  readonly driver: Known<string>;
  readonly runtimeVersion: Known<string>;
}

/** The device's place is known by its attribute, also when everything else is an error text. */
function readingOf(gpu: Node, { index, driver, runtimeVersion }: LogFacts): AcceleratorReading[] {
  const address = pciAddress(text(gpu, "$", "id") ?? text(gpu, "pci", "pci_bus_id") ?? "");
  const uuid = GpuUuid.safeParse(text(gpu, "uuid"));
  const isNamed = uuid.success && uuid.data.startsWith("GPU-");
  if (!isNamed && address === undefined) return [];
  const key = isNamed ? uuid.data : GpuUuid.parse(`PCI-${address}`);
  const minor = countValue(text(gpu, "minor_number"));
  return [
    {
      uuid: key,
      identity: isNamed ? "vendor" : "pci",
      vendor: "nvidia",
      index,
      pciAddress: address ?? unavailable("error"),
      pciId: pciIdOf(text(gpu, "pci", "pci_device_id")),
      model: textValue(text(gpu, "product_name")),
      serial: textValue(text(gpu, "serial")),
      driver: { version: driver, runtimeVersion, firmware: textValue(text(gpu, "vbios_version")) },
      ...metricsOf(gpu),
      power: powerOf(gpu),
      throttle: throttleOf(gpu),
      ecc: eccOf(gpu),
      rows: rowsOf(gpu),
      pcie: pcieOf(gpu),
      fabric: {
        state: fabricState(text(gpu, "fabric", "state")),
        health: fabricHealth(text(gpu, "fabric", "health", "summary")),
      },
      recoveryAction: recoveryOf(gpu),
      persistence: flagValue(text(gpu, "persistence_mode")),
      partitioned: migOf(text(gpu, "mig_mode", "current_mig")),
      partitions: partitionsOf(gpu, key),
      processes: processesOf(gpu),
      nodes: isUnavailable(minor) ? [] : [`nvidia${minor}`],
      sources: ["nvidia-smi-xml"],
    },
  ];
}

/** Device and vendor come as one number, `233010DE`. */
function pciIdOf(both: string | undefined): Known<string> {
  const { device, vendor } =
    /^(?:0x)?(?<device>[0-9a-f]{4})(?<vendor>[0-9a-f]{4})$/i.exec(both?.trim() ?? "")?.groups ?? {};
  return device === undefined || vendor === undefined ? unavailable("not-read") : `${vendor}:${device}`.toLowerCase();
}

function metricsOf(gpu: Node): Partial<AcceleratorReading> {
  return {
    memory: memoryOf(gpu),
    utilisation: {
      gpuPercent: percentValue(text(gpu, "utilization", "gpu_util")),
      memoryPercent: percentValue(text(gpu, "utilization", "memory_util")),
    },
    temperature: {
      gpuCelsius: numberValue(text(gpu, "temperature", "gpu_temp")),
      memoryCelsius: numberValue(text(gpu, "temperature", "memory_temp")),
      marginCelsius: numberValue(text(gpu, "temperature", "gpu_temp_tlimit")),
      slowdownCelsius: numberValue(text(gpu, "temperature", "gpu_temp_slow_threshold")),
    },
    fanPercent: percentValue(text(gpu, "fan_speed")),
    clocks: {
      coreMhz: numberValue(text(gpu, "clocks", "sm_clock")),
      memoryMhz: numberValue(text(gpu, "clocks", "mem_clock")),
      maxCoreMhz: numberValue(text(gpu, "max_clocks", "sm_clock")),
      maxMemoryMhz: numberValue(text(gpu, "max_clocks", "mem_clock")),
    },
    performanceState: textValue(text(gpu, "performance_state")),
  };
}

function memoryOf(node: Node): Partition["memory"] {
  return {
    totalBytes: bytesValue(text(node, "fb_memory_usage", "total")),
    reservedBytes: bytesValue(text(node, "fb_memory_usage", "reserved")),
    usedBytes: bytesValue(text(node, "fb_memory_usage", "used")),
    freeBytes: bytesValue(text(node, "fb_memory_usage", "free")),
  };
}

/** Some devices have no average; before 535 the block has another name, and before 570 one draw. */
function powerOf(gpu: Node): AcceleratorReading["power"] {
  const block = isBlock(at(gpu, "gpu_power_readings")) ? "gpu_power_readings" : "power_readings";
  const watts = (...names: string[]): Known<number> =>
    firstKnown(unavailable("not-read"), ...names.map((name) => numberValue(text(gpu, block, name))));
  return {
    drawWatts: watts("instant_power_draw", "power_draw", "average_power_draw"),
    limitWatts: watts("current_power_limit", "enforced_power_limit", "power_limit"),
    defaultLimitWatts: watts("default_power_limit"),
  };
}

const REASONS: readonly (readonly [name: string, reason: ThrottleReason])[] = [
  ["gpu_idle", "idle"],
  ["applications_clocks_setting", "applications-clocks"],
  ["sw_power_cap", "power-cap"],
  ["hw_slowdown", "hw-slowdown"],
  ["sync_boost", "sync-boost"],
  ["sw_thermal_slowdown", "sw-thermal"],
  ["hw_thermal_slowdown", "hw-thermal"],
  ["hw_power_brake_slowdown", "hw-power-brake"],
  ["display_clocks_setting", "display-clocks"],
];

/** The block and all in it were renamed with 535. */
function throttleOf(gpu: Node): AcceleratorReading["throttle"] {
  const isNew = isBlock(at(gpu, "clocks_event_reasons"));
  const [block, prefix] = isNew
    ? ["clocks_event_reasons", "clocks_event_reason"]
    : ["clocks_throttle_reasons", "clocks_throttle_reason"];
  const flags = REASONS.map(([name, reason]) => [flagValue(text(gpu, block, `${prefix}_${name}`)), reason] as const);
  const isKnown = flags.some(([flag]) => !isUnavailable(flag));
  const micros = (name: string): Known<number> =>
    countValue(text(gpu, "clocks_event_reasons_counters", `clocks_event_reasons_counters_${name}`));
  return {
    reasons: isKnown
      ? flags.flatMap(([flag, reason]) => (flag === true ? [reason] : []))
      : (flags.map(([flag]) => flag).find(isUnavailable) ?? []),
    powerCapMicros: micros("sw_power_cap"),
    swThermalMicros: micros("sw_therm_slowdown"),
    hwThermalMicros: micros("hw_therm_slowdown"),
    hwPowerBrakeMicros: micros("hw_power_brake"),
  };
}

function pcieOf(gpu: Node): AcceleratorReading["pcie"] {
  const link = (...names: string[]): Known<number> => countValue(text(gpu, "pci", "pci_gpu_link_info", ...names));
  return {
    generation: link("pcie_gen", "current_link_gen"),
    maxGeneration: link("pcie_gen", "max_link_gen"),
    width: link("link_widths", "current_link_width"),
    maxWidth: link("link_widths", "max_link_width"),
    replays: countValue(text(gpu, "pci", "replay_counter")),
  };
}

/** Before 570 it was two flags. */
function recoveryOf(gpu: Node): AcceleratorReading["recoveryAction"] {
  const action = recoveryValue(text(gpu, "gpu_recovery_action"));
  if (!isUnavailable(action)) return action;
  if (flagValue(text(gpu, "gpu_reset_status", "reset_required")) === true) return "reset";
  if (flagValue(text(gpu, "gpu_reset_status", "drain_and_reset_recommended")) === true) return "drain-and-reset";
  return flagValue(text(gpu, "gpu_reset_status", "reset_required")) === false ? "none" : action;
}

/** They have no UUID here: their ids are unique on their device. */
function partitionsOf(gpu: Node, parent: GpuUuid): Partition[] {
  return all(at(gpu, "mig_devices", "mig_device"))
    .filter(isBlock)
    .flatMap((part): Partition[] => {
      const ids = {
        gpuInstance: countValue(text(part, "gpu_instance_id")),
        computeInstance: countValue(text(part, "compute_instance_id")),
      };
      if (isUnavailable(ids.gpuInstance) || isUnavailable(ids.computeInstance)) return [];
      const index = countValue(text(part, "index"));
      const none = unavailable("not-read");
      return [
        {
          uuid: GpuUuid.parse(`${parent}.${ids.gpuInstance}.${ids.computeInstance}`),
          kind: "mig",
          parent,
          index: isUnavailable(index) ? 0 : index,
          profile: none,
          computeSlices: none,
          memorySlices: none,
          ...ids,
          memory: memoryOf(part),
          nodes: [],
        },
      ];
    });
}

/** No process is an empty text; a text that is none is a reason. */
function processesOf(gpu: Node): Known<GpuProcess[]> {
  const block = at(gpu, "processes");
  if (block === undefined) return unavailable("not-read");
  if (typeof block === "string" && block.trim() !== "") {
    const why = textValue(block);
    return isUnavailable(why) ? why : unavailable("error", why);
  }
  return all(at(block, "process_info")).flatMap((process): GpuProcess[] => {
    const pid = countValue(text(process, "pid"));
    return isUnavailable(pid) || pid === 0 ? [] : [{ pid, memoryBytes: bytesValue(text(process, "used_memory")) }];
  });
}
