/**
 * Roots that look like sysfs and procfs of a GPU host, written into a folder: real folders, real links, our own numbers.
 */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";

export interface FakeDevice {
  readonly address: string;
  readonly vendor: string;
  readonly device: string;
  /** Six hex digits; a 3D controller when left out. */
  readonly classCode?: string;
  readonly driver?: string;
  readonly numaNode?: number;
  /** From the root complex down, such as `pci0000:50`, `0000:50:01.0`. */
  readonly bridges?: readonly string[];
  /** Further files of the device's folder. */
  readonly files?: Readonly<Record<string, string>>;
}

export class FakeSysfs {
  readonly folder = mkdtempSync(join(tmpdir(), "fake-sysfs-"));

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  write(path: string, content: string | Uint8Array): void {
    const file = join(this.folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, typeof content === "string" ? `${content}\n` : content);
  }

  device(device: FakeDevice): void {
    const bridges = device.bridges ?? [`pci${device.address.slice(0, 7)}`, `${device.address.slice(0, 7)}:01.0`];
    const at = join("/sys/devices", ...bridges, device.address);
    const common = {
      vendor: `0x${device.vendor}`,
      device: `0x${device.device}`,
      class: `0x${device.classCode ?? "030200"}`,
      numa_node: String(device.numaNode ?? -1),
      local_cpulist: "0-15",
      current_link_speed: "32.0 GT/s PCIe",
      current_link_width: "16",
      max_link_speed: "32.0 GT/s PCIe",
      max_link_width: "16",
      aer_dev_correctable: "RxErr 1\nTOTAL_ERR_COR 3",
      aer_dev_fatal: "Undefined 0\nTOTAL_ERR_FATAL 0",
    };
    for (const [name, content] of Object.entries({ ...common, ...device.files })) this.write(join(at, name), content);
    this.link(join("/sys/bus/pci/devices", device.address), at);
    if (device.driver !== undefined) this.#bind(at, device.driver);
  }

  #bind(at: string, driver: string): void {
    mkdirSync(join(this.folder, "/sys/bus/pci/drivers", driver), { recursive: true });
    this.link(join(at, "driver"), join("/sys/bus/pci/drivers", driver));
  }

  unplug(address: string): void {
    rmSync(join(this.folder, "/sys/bus/pci/devices", address), { force: true });
  }

  link(from: string, to: string): void {
    const place = join(this.folder, from);
    mkdirSync(dirname(place), { recursive: true });
    rmSync(place, { force: true });
    symlinkSync(relative(dirname(place), join(this.folder, to)), place);
  }
}

export interface FakeNvidia {
  readonly address: string;
  readonly uuid?: string;
  readonly minor?: number;
  readonly numaNode?: number;
  readonly bridges?: readonly string[];
}

/** An H100 as its bus shows it, and with a UUID as the kernel module does. */
export function addNvidia(root: FakeSysfs, gpu: FakeNvidia, version = "580.105.08"): void {
  const { address, uuid, minor = 0, ...place } = gpu;
  root.device({
    address,
    ...place,
    vendor: "10de",
    device: "2330",
    ...(uuid === undefined ? {} : { driver: "nvidia" }),
  });
  if (uuid === undefined) return;
  root.write(
    "/proc/driver/nvidia/version",
    `NVRM version: NVIDIA UNIX x86_64 Kernel Module  ${version}  Mon Jan  1 00:00:00 UTC 2026`,
  );
  root.write(
    `/proc/driver/nvidia/gpus/${address}/information`,
    `Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   \t\t 100\nGPU UUID: \t ${uuid}\nVideo BIOS: \t 96.00.99.00.01\n` +
      `Bus Type: \t PCIe\nBus Location: \t ${address}\nDevice Minor: \t ${minor}\nGPU Firmware: \t ${version}\nGPU Excluded:\t No`,
  );
}

const GIB = 2 ** 30;

export interface FakeAmd {
  readonly address: string;
  readonly uniqueId: bigint;
  readonly card: number;
  readonly render: number;
  readonly device?: string;
  readonly files?: Readonly<Record<string, string>>;
}

/** An MI300X with its driver's files; KFD's come with `addKfd`. */
export function addAmd(
  root: FakeSysfs,
  { address, uniqueId, card, render, device = "74a1", files = {} }: FakeAmd,
): void {
  root.device({
    address,
    vendor: "1002",
    device,
    classCode: "120000",
    driver: "amdgpu",
    numaNode: 0,
    files: {
      unique_id: uniqueId.toString(16).padStart(16, "0"),
      serial_number: `6922${card}`,
      mem_info_vram_total: String(192 * GIB),
      mem_info_vram_used: String(3 * GIB),
      gpu_busy_percent: "0",
      pp_dpm_sclk: "0: 500Mhz\n1: 1304Mhz *\n2: 2100Mhz",
      pp_dpm_mclk: "0: 900Mhz *\n1: 1300Mhz",
      pcie_replay_count: "0",
      current_compute_partition: "SPX",
      "ras/umc_err_count": "ue: 0\nce: 4",
      "ras/gfx_err_count": "ue: 0\nce: 1",
      "hwmon/hwmon3/temp2_label": "junction",
      "hwmon/hwmon3/temp2_input": "41000",
      "hwmon/hwmon3/temp2_crit": "100000",
      "hwmon/hwmon3/temp3_label": "mem",
      "hwmon/hwmon3/temp3_input": "33000",
      "hwmon/hwmon3/power1_input": "138000000",
      "hwmon/hwmon3/power1_cap": "750000000",
      [`drm/card${card}/dev`]: `226:${card}`,
      [`drm/renderD${render}/dev`]: `226:${render}`,
      ...files,
    },
  });
}

export interface FakeKfdNode {
  readonly node: number;
  readonly address: string;
  /** Of the partition; the function of its location. */
  readonly fn?: number;
  readonly uniqueId: bigint;
  readonly render: number;
  readonly memoryBytes?: number;
  /** Nodes it reaches over XGMI, with the weight of the way. */
  readonly xgmi?: readonly (readonly [node: number, weight: number])[];
}

/** The first node is a processor's, as on every host. */
export function addKfd(root: FakeSysfs, nodes: readonly FakeKfdNode[]): void {
  const at = "/sys/class/kfd/kfd/topology/nodes";
  root.write(`${at}/0/properties`, "cpu_cores_count 64\nsimd_count 0\ndrm_render_minor 0\nlocation_id 0");
  for (const { node, address, fn = 0, uniqueId, render, memoryBytes = 192 * GIB, xgmi = [] } of nodes) {
    const [domain = "0", bus = "0", device = "0"] = address.split(/[:.]/);
    const location = (Number.parseInt(bus, 16) << 8) | (Number.parseInt(device, 16) << 3) | fn;
    root.write(
      `${at}/${node}/properties`,
      `simd_count 1216\nvendor_id 4098\nlocation_id ${location}\ndomain ${Number.parseInt(domain, 16)}\n` +
        `drm_render_minor ${render}\nunique_id ${uniqueId}\nmax_engine_clk_fcompute 2100`,
    );
    root.write(`${at}/${node}/mem_banks/0/properties`, `heap_type 1\nsize_in_bytes ${memoryBytes}\nflags 0`);
    root.write(`${at}/${node}/mem_banks/0/used_memory`, String(GIB));
    root.write(`${at}/${node}/io_links/0/properties`, `type 2\nnode_from ${node}\nnode_to 0\nweight 20`);
    for (const [index, [to, weight]] of xgmi.entries()) {
      root.write(
        `${at}/${node}/io_links/${index + 1}/properties`,
        `type 11\nnode_from ${node}\nnode_to ${to}\nweight ${weight}`,
      );
    }
  }
}

/** An Arc B580 under xe, or an A770 under i915. */
export function addArc(root: FakeSysfs, address: string, driver: "xe" | "i915"): void {
  const hwmon = {
    "hwmon/hwmon1/temp2_label": "pkg",
    "hwmon/hwmon1/temp2_input": "44000",
    "hwmon/hwmon1/energy1_input": "5000000",
  };
  const drm = { "drm/card1/dev": "226:1", "drm/renderD128/dev": "226:128" };
  const xe = {
    "tile0/gt0/freq0/act_freq": "2850",
    "tile0/gt0/freq0/max_freq": "2850",
    "tile0/gt0/freq0/throttle/status": "0",
  };
  const i915 = {
    "drm/card1/gt/gt0/rps_act_freq_mhz": "600",
    "drm/card1/gt/gt0/rps_max_freq_mhz": "2400",
    "drm/card1/gt/gt0/throttle_reason_status": "1",
    "drm/card1/gt/gt0/throttle_reason_pl1": "1",
    "drm/card1/lmem_total_bytes": String(16 * GIB),
    "drm/card1/lmem_avail_bytes": String(15 * GIB),
  };
  const device = driver === "xe" ? "e20b" : "56a0";
  const files = { ...hwmon, ...drm, ...(driver === "xe" ? xe : i915) };
  root.device({ address, vendor: "8086", device, classCode: "030000", driver, files });
}
