/**
 * An Intel card from the files of its driver, i915 or xe: heat, power, clocks, why they are low, and memory where the driver
 * says it. Its key is its place: the UUIDs of Intel's tools are the same for cards of one model in some versions.
 */
import type { AcceleratorReading, Known, ThrottleReason } from "../../../protocol/accelerator.ts";
import { GpuUuid } from "../../../protocol/ids.ts";
import { firstKnown, isUnavailable, knownOr, mapKnown, unavailable } from "../known.ts";
import { hwmonAt, wattsAt } from "../sysfs/hwmon.ts";
import { type PciDevice, pciReading } from "../sysfs/pci.ts";
import { numberAt, type Root } from "../sysfs/root.ts";

const MODELS: Readonly<Record<string, string>> = {
  "0bd5": "Intel Data Center GPU Max 1550",
  "0bda": "Intel Data Center GPU Max 1100",
  "56c0": "Intel Data Center GPU Flex 170",
  "56c1": "Intel Data Center GPU Flex 140",
  "56a0": "Intel Arc A770",
  "56a1": "Intel Arc A750",
  "56a2": "Intel Arc A580",
  "56a5": "Intel Arc A380",
  e20b: "Intel Arc B580",
  e20c: "Intel Arc B570",
  e211: "Intel Arc Pro B60",
  e212: "Intel Arc Pro B50",
  e223: "Intel Arc Pro B70",
};

export function intelReading(root: Root, device: PciDevice): AcceleratorReading {
  const at = `/sys/bus/pci/devices/${device.address}`;
  const number = device.id.split(":")[1] ?? "";
  const files = root.names(`${at}/drm`).filter((name) => /^(card|renderD)\d+$/.test(name));
  const card = `${at}/drm/${files.find((name) => name.startsWith("card")) ?? "none"}`;
  const hwmon = hwmonAt(root, at);
  return {
    ...pciReading(root, device),
    uuid: GpuUuid.parse(`INTEL-${device.address}`),
    model: MODELS[number] ?? `Intel GPU ${number}`,
    memory: memoryOf(root, at, card),
    temperature: {
      gpuCelsius: firstKnown(hwmon.celsius(["pkg", "package"]), mapKnown(hwmon.number("temp1_input"), perThousand)),
      memoryCelsius: hwmon.celsius(["vram"]),
      slowdownCelsius: hwmon.criticalCelsius(["pkg", "package"]),
    },
    power: {
      drawWatts: wattsAt(hwmon, ["power1_input"]),
      limitWatts: wattsAt(hwmon, ["power1_max", "power1_cap"]),
      defaultLimitWatts: wattsAt(hwmon, ["power1_rated_max"]),
      energyMillijoules: mapKnown(hwmon.number("energy1_input"), (micro) => Math.round(micro / 1000)),
    },
    clocks: {
      coreMhz: anyOf(root, [
        `${card}/gt/gt0/rps_act_freq_mhz`,
        `${card}/gt_act_freq_mhz`,
        `${at}/tile0/gt0/freq0/act_freq`,
      ]),
      maxCoreMhz: anyOf(root, [
        `${card}/gt/gt0/rps_max_freq_mhz`,
        `${card}/gt_max_freq_mhz`,
        `${at}/tile0/gt0/freq0/max_freq`,
      ]),
    },
    throttle: { reasons: throttleOf(root, at, card) },
    nodes: files.map((name) => `dri/${name}`),
  };
}

function perThousand(value: number): number {
  return value / 1000;
}

function anyOf(root: Root, paths: readonly string[]): Known<number> {
  return firstKnown(unavailable("not-supported"), ...paths.map((path) => numberAt(root, path)));
}

/** Neither driver says it in every version; Intel's tool does. */
function memoryOf(root: Root, at: string, card: string): NonNullable<AcceleratorReading["memory"]> {
  const tiles = root
    .names(at)
    .filter((name) => /^tile\d+$/.test(name))
    .map((tile) => numberAt(root, `${at}/${tile}/physical_vram_size_bytes`));
  const sum = tiles.reduce<number>((all, size) => all + knownOr(size, 0), 0);
  const total = firstKnown(
    numberAt(root, `${card}/lmem_total_bytes`),
    sum > 0 ? sum : unavailable("not-supported", "The driver does not say it; xpu-smi does."),
  );
  const free = numberAt(root, `${card}/lmem_avail_bytes`);
  return {
    totalBytes: total,
    freeBytes: free,
    usedBytes: isUnavailable(total) ? total : mapKnown(free, (bytes) => Math.max(0, total - bytes)),
  };
}

const REASONS: readonly (readonly [file: string, reason: ThrottleReason])[] = [
  ["pl1", "power-cap"],
  ["pl2", "power-cap"],
  ["pl4", "power-cap"],
  ["thermal", "hw-thermal"],
  ["prochot", "hw-thermal"],
  ["vr_thermalert", "hw-thermal"],
  ["vr_tdc", "hw-power-brake"],
  ["ratl", "other"],
];

function throttleOf(root: Root, at: string, card: string): Known<ThrottleReason[]> {
  const files = (name: string): string[] => [
    `${card}/gt/gt0/throttle_reason_${name}`,
    `${at}/tile0/gt0/freq0/throttle/${name === "status" ? name : `reason_${name}`}`,
  ];
  const status = anyOf(root, files("status"));
  if (isUnavailable(status)) return status;
  const active = REASONS.filter(([name]) => knownOr(anyOf(root, files(name)), 0) !== 0).map(([, reason]) => reason);
  return [...new Set(active)];
}
