/**
 * An AMD card from the files of its driver: memory, load, heat, power, clocks, ECC; and its compute partitions from KFD.
 */
import type { AcceleratorReading, HealthReason, Known, Partition } from "../../../protocol/accelerator.ts";
import { GpuUuid } from "../../../protocol/ids.ts";
import { isUnavailable, knownOr, mapKnown, unavailable } from "../known.ts";
import { hwmonAt, wattsAt } from "../sysfs/hwmon.ts";
import { nonEmpty, type PciDevice, pciReading } from "../sysfs/pci.ts";
import { numberAt, type Root, textOr } from "../sysfs/root.ts";
import { type KfdNode, usedMemoryAt } from "./kfd.ts";

const DEVICES = "/sys/bus/pci/devices";

/** `nodes` are KFD's of this card: one, or one for each partition; none where KFD does not know the card. */
export function amdReading(root: Root, device: PciDevice, nodes: readonly KfdNode[]): AcceleratorReading {
  const at = `${DEVICES}/${device.address}`;
  const base = pciReading(root, device);
  const uniqueId = uniqueIdOf(root, at, nodes);
  const uuid = GpuUuid.parse(uniqueId === undefined ? `AMD-${device.address}` : `GPU-${uniqueId}`);
  const profile = root.text(`${at}/current_compute_partition`);
  const total = numberAt(root, `${at}/mem_info_vram_total`);
  const isCut = nodes.length > 1;
  return {
    ...base,
    uuid,
    identity: uniqueId === undefined ? "pci" : "vendor",
    model: modelOf(root, at, device),
    serial: nonEmpty(root.text(`${at}/serial_number`)),
    driver: {
      ...base.driver,
      firmware: nonEmpty(root.text(`${at}/vbios_version`)),
      runtimeVersion: nonEmpty(root.text("/opt/rocm/.info/version")),
    },
    ...metricsOf(root, at),
    pcie: { ...base.pcie, replays: numberAt(root, `${at}/pcie_replay_count`) },
    ecc: eccOf(root, at),
    partitioned: mapKnown(profile, () => isCut),
    partitions: isCut
      ? nodes.map((node, index) => partitionOf(root, { node, index, parent: uuid, nodes, profile, total }))
      : [],
    nodes: root
      .names(`${at}/drm`)
      .filter((name) => /^(card|renderD)\d+$/.test(name))
      .map((name) => `dri/${name}`),
    health: { reasons: [...(base.health?.reasons ?? []), ...kfdFault(device, nodes)] },
  };
}

/** The driver's file says 0 or nothing where there is none, on many cards for homes. */
function uniqueIdOf(root: Root, at: string, nodes: readonly KfdNode[]): string | undefined {
  const text = textOr(root, `${at}/unique_id`, "").toLowerCase();
  if (/^[0-9a-f]{1,16}$/.test(text) && !/^0+$/.test(text)) return text.padStart(16, "0");
  return nodes[0]?.uniqueId;
}

/** Names of what is rented most; others are named by their number, which the vendor's tools know better. */
const MODELS: Readonly<Record<string, string>> = {
  "738c": "AMD Instinct MI100",
  "740c": "AMD Instinct MI250X",
  "7408": "AMD Instinct MI250X",
  "740f": "AMD Instinct MI210",
  "74a0": "AMD Instinct MI300A",
  "74a1": "AMD Instinct MI300X",
  "74a2": "AMD Instinct MI308X",
  "74a5": "AMD Instinct MI325X",
  "75a0": "AMD Instinct MI350X",
  "75a3": "AMD Instinct MI355X",
  "744c": "AMD Radeon RX 7900 XT/XTX",
  "7448": "AMD Radeon Pro W7900",
  "73bf": "AMD Radeon RX 6800/6900 XT",
  "747e": "AMD Radeon RX 7700 XT/7800 XT",
  "7550": "AMD Radeon RX 9070/9070 XT",
};

function modelOf(root: Root, at: string, { id }: PciDevice): Known<string> {
  const own = nonEmpty(root.text(`${at}/product_name`));
  if (!isUnavailable(own)) return own;
  const number = id.split(":")[1] ?? "";
  return MODELS[number] ?? `AMD GPU ${number}`;
}

function metricsOf(
  root: Root,
  at: string,
): Pick<
  AcceleratorReading,
  "memory" | "utilisation" | "temperature" | "fanPercent" | "power" | "clocks" | "performanceState"
> {
  const hwmon = hwmonAt(root, at);
  const [core, memory] = [levelsAt(root, `${at}/pp_dpm_sclk`), levelsAt(root, `${at}/pp_dpm_mclk`)];
  const total = numberAt(root, `${at}/mem_info_vram_total`);
  const used = numberAt(root, `${at}/mem_info_vram_used`);
  return {
    memory: {
      totalBytes: total === 0 ? unavailable("error", "The driver says 0.") : total,
      usedBytes: used,
      freeBytes: isUnavailable(total) ? total : mapKnown(used, (bytes) => Math.max(0, total - bytes)),
    },
    utilisation: {
      gpuPercent: numberAt(root, `${at}/gpu_busy_percent`),
      memoryPercent: numberAt(root, `${at}/mem_busy_percent`),
    },
    temperature: {
      gpuCelsius: hwmon.celsius(["junction", "edge"]),
      memoryCelsius: hwmon.celsius(["mem"]),
      slowdownCelsius: hwmon.criticalCelsius(["junction", "edge"]),
    },
    fanPercent: mapKnown(hwmon.number("pwm1"), (value) => Math.round((value / 255) * 100)),
    power: {
      drawWatts: wattsAt(hwmon, ["power1_average", "power1_input"]),
      limitWatts: wattsAt(hwmon, ["power1_cap"]),
      defaultLimitWatts: wattsAt(hwmon, ["power1_cap_default"]),
    },
    clocks: { coreMhz: core.now, maxCoreMhz: core.most, memoryMhz: memory.now, maxMemoryMhz: memory.most },
    performanceState: nonEmpty(root.text(`${at}/power_dpm_force_performance_level`)),
  };
}

/** Lines such as `1: 852Mhz *`, where the star marks the level that is used now. */
function levelsAt(root: Root, path: string): { now: Known<number>; most: Known<number> } {
  const text = root.text(path);
  if (isUnavailable(text)) return { now: text, most: text };
  const levels = [...text.matchAll(/^\S+:\s*(\d+)\s*mhz\s*(\*?)/gim)].map(([, mhz, star]) => ({
    mhz: Number(mhz),
    star,
  }));
  const none = unavailable("not-supported");
  return {
    now: levels.find(({ star }) => star === "*")?.mhz ?? none,
    most: levels.length === 0 ? none : Math.max(...levels.map(({ mhz }) => mhz)),
  };
}

/** Sums the blocks of the device: `ue` are errors that were not corrected. */
function eccOf(root: Root, at: string): AcceleratorReading["ecc"] {
  const blocks = root.names(`${at}/ras`).filter((name) => name.endsWith("_err_count"));
  const counts = blocks.map((name) => knownOr(root.text(`${at}/ras/${name}`), ""));
  if (counts.every((text) => text === "")) return {};
  const sum = (kind: string): number =>
    counts.reduce((all, text) => all + Number(new RegExp(`^${kind}:\\s*(\\d+)`, "m").exec(text)?.[1] ?? 0), 0);
  return { enabled: true, correctedVolatile: sum("ce"), uncorrectedVolatile: sum("ue") };
}

interface PartitionOf {
  readonly node: KfdNode;
  readonly index: number;
  readonly parent: GpuUuid;
  readonly nodes: readonly KfdNode[];
  readonly profile: Known<string>;
  /** Of the whole card, in bytes. */
  readonly total: Known<number>;
}

/** Partitions that share the card's memory all name the whole of it; then each gets an equal part. */
function partitionOf(root: Root, { node, index, parent, nodes, profile, total }: PartitionOf): Partition {
  const named = nodes.reduce((all, { memoryBytes = 0 }) => all + memoryBytes, 0);
  const whole = knownOr(total, named);
  const share =
    node.memoryBytes === undefined || named > whole * 1.05 ? Math.floor(whole / nodes.length) : node.memoryBytes;
  const used = usedMemoryAt(root, node.node);
  const none = unavailable("not-read");
  return {
    uuid: GpuUuid.parse(`${parent}-xcp${index}`),
    kind: "xcp",
    parent,
    index,
    profile,
    computeSlices: 1,
    memorySlices: none,
    gpuInstance: none,
    computeInstance: none,
    memory: {
      totalBytes: share > 0 ? share : none,
      usedBytes: used ?? none,
      freeBytes: used === undefined || share === 0 ? none : Math.max(0, share - used),
      reservedBytes: none,
    },
    nodes: [`dri/renderD${node.renderMinor}`],
  };
}

function kfdFault(device: PciDevice, nodes: readonly KfdNode[]): HealthReason[] {
  if (nodes.length > 0 || device.driver !== "amdgpu") return [];
  const message = "The kernel's compute driver (KFD) does not show the device: see `dmesg | grep kfd`.";
  return [{ code: "compute-missing", message, fence: true }];
}
