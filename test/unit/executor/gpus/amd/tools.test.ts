/** AMD's tools in the dialects of their generations, and what is kept of each. */
import { describe, expect, it } from "vitest";

import { jsonIn, readAmdSmi } from "../../../../../executor/gpus/amd/amd-smi.ts";
import { readRocmSmi } from "../../../../../executor/gpus/amd/rocm-smi.ts";

const MIB = 2 ** 20;

/** Numbers bare, as text, or in a record, as the versions have them. */
type Writer = (value: number, unit: string) => unknown;
const RECORD: Writer = (value, unit) => ({ value, unit });
const BARE: Writer = (value) => value;
const TEXT: Writer = (value, unit) => `${value} ${unit}`;

function metric(write: Writer, index = 0): object {
  return {
    gpu: index,
    usage: { gfx_activity: write(97, "%"), umc_activity: write(48, "%"), mm_activity: "N/A" },
    power: { socket_power: write(741, "W"), throttle_status: "THROTTLED" },
    clock: {
      gfx_0: { clk: write(1800, "MHz"), max_clk: write(2100, "MHz") },
      mem_0: { clk: write(1300, "MHz"), max_clk: write(1300, "MHz") },
    },
    temperature: { edge: "N/A", hotspot: write(101, "C"), mem: write(95, "C") },
    pcie: { width: 16, speed: write(32, "GT/s"), replay_count: 2 },
    ecc: { total_correctable_count: 3, total_uncorrectable_count: 0 },
    mem_usage: { total_vram: write(196_592, "MB"), used_vram: write(1000, "MB"), free_vram: write(195_592, "MB") },
    energy: { total_energy_consumption: write(12.5, "J") },
  };
}

const STATIC = {
  gpu: 0,
  asic: { market_name: "AMD Instinct MI300X", vendor_id: "0x1002", device_id: "0x74a1", asic_serial: "0x7E8F" },
  bus: { bdf: "0000:26:00.0", max_pcie_width: 16, max_pcie_speed: { value: 32, unit: "GT/s" } },
  board: { product_serial: "0", product_name: "N/A" },
  driver: { name: "amdgpu", version: "6.14.14" },
  limit: { socket_power: { value: 750, unit: "W" }, slowdown_hotspot_temperature: { value: 100, unit: "C" } },
  ras: { ecc_block_state: { UMC: "ENABLED", GFX: "DISABLED" } },
  partition: { accelerator_partition: "SPX", memory_partition: "NPS1" },
  clock: { sys: { frequency_levels: {} } },
  numa: { node: 1 },
};

describe("amd-smi", () => {
  it.each([
    ["a list of records", (one: object) => [one], RECORD],
    ["gpu_data of records", (one: object) => ({ gpu_data: [one] }), RECORD],
    [
      "a list of bare numbers",
      (one: object) => [one],
      (value: number, unit: string) => (unit === "MB" ? TEXT(value, unit) : BARE(value, unit)),
    ],
    ["texts with units", (one: object) => [one], TEXT],
  ])("is read as %s", (_, wrap, write) => {
    const read = readAmdSmi([wrap(metric(write)), wrap(STATIC)]);

    expect(read?.readings).toMatchObject([
      {
        uuid: "AMD-0000:26:00.0",
        pciAddress: "0000:26:00.0",
        pciId: "1002:74a1",
        model: "AMD Instinct MI300X",
        serial: "0x7E8F",
        numaNode: 1,
        memory: { totalBytes: 196_592 * MIB, usedBytes: 1000 * MIB },
        utilisation: { gpuPercent: 97, memoryPercent: 48 },
        temperature: { gpuCelsius: 101, memoryCelsius: 95, slowdownCelsius: 100 },
        power: { drawWatts: 741, limitWatts: 750, energyMillijoules: 12_500 },
        clocks: { coreMhz: 1800, maxCoreMhz: 2100, memoryMhz: 1300 },
        throttle: { reasons: ["other"] },
        ecc: { enabled: true, correctedVolatile: 3, uncorrectedVolatile: 0 },
        pcie: { generation: 5, width: 16, maxGeneration: 5, replays: 2 },
        partitioned: false,
      },
    ]);
  });

  it("has texts where blocks should be, for the second partition of a card", () => {
    const second = {
      gpu: 1,
      usage: "N/A",
      power: "N/A",
      clock: "N/A",
      temperature: "N/A",
      pcie: "N/A",
      ecc: { total_uncorrectable_count: 0 },
    };
    const read = readAmdSmi([{ gpu_data: [metric(RECORD), second] }]);

    expect(read?.readings[1]).toMatchObject({
      utilisation: { gpuPercent: { unavailable: "not-read" } },
      temperature: { gpuCelsius: { unavailable: "not-read" } },
      ecc: { uncorrectedVolatile: 0 },
    });
  });

  it("says why it is throttled, where it does", () => {
    const throttle = {
      ppt_violation_status: "ACTIVE",
      hbm_thermal_violation_status: "ACTIVE",
      prochot_violation_status: "NOT ACTIVE",
    };
    const [reading] = readAmdSmi([[{ gpu: 0, power: { throttle_status: "UNTHROTTLED" }, throttle }]])?.readings ?? [];

    expect(reading?.throttle?.reasons).toEqual(["power-cap", "hw-thermal"]);
    expect(
      readAmdSmi([[{ gpu: 0, power: { throttle_status: "UNTHROTTLED" } }]])?.readings[0]?.throttle?.reasons,
    ).toEqual([]);
  });

  it("has a text in its list where no process runs", () => {
    const processes = [{ process_info: { pid: 42, memory_usage: { vram_mem: { value: 5, unit: "MB" } } } }];
    const listOf = (list: unknown): unknown => readAmdSmi([[{ gpu: 0, process_list: list }]])?.readings[0]?.processes;

    expect(listOf([{ process_info: "No running processes detected" }])).toEqual([]);
    expect(listOf(processes)).toEqual([{ pid: 42, memoryBytes: 5 * MIB }]);
  });

  it.each([
    [
      "by address",
      [0, 1].map((gpu) => ({
        gpu,
        bdf: `0000:${gpu}6:00.0`,
        links: [{ bdf: `0000:${1 - gpu}6:00.0`, weight: 15, link_type: "XGMI" }],
      })),
    ],
    [
      "by index",
      [0, 1].map((gpu) => ({
        gpu,
        bdf: `0000:${gpu}6:00.0`,
        weight: { [`gpu_${1 - gpu}`]: 15 },
        link_type: { [`gpu_${1 - gpu}`]: "XGMI" },
      })),
    ],
  ])("has its links %s", (_, documents) => {
    expect(readAmdSmi([documents])?.pairs).toEqual([{ a: "0000:06:00.0", b: "0000:16:00.0", xgmiWeight: 15 }]);
  });

  it("may be warned about before its JSON begins, and cut off", () => {
    expect(jsonIn('WARNING: the user is not in the group\n[{"gpu": 0}]')).toEqual([{ gpu: 0 }]);
    expect(jsonIn('[{"gpu": 0')).toBeUndefined();
    expect(readAmdSmi([undefined, "text", {}])).toBeUndefined();
  });
});

describe("rocm-smi", () => {
  const common = {
    "PCI Bus": "0000:63:00.0",
    "Temperature (Sensor edge) (C)": "36.0",
    "Temperature (Sensor junction) (C)": "38.0",
    "sclk clock speed:": "(1725Mhz)",
    "mclk clock speed:": "(1000Mhz)",
    "Max Graphics Package Power (W)": "225.0",
    "VRAM Total Memory (B)": "34342961152",
    "VRAM Total Used Memory (B)": "10850304",
    "GPU use (%)": "0",
    "Serial Number": "0",
    "PCIe Replay Count": "0",
    "pcie clock level": "1 (16.0GT/s x16)",
  };

  it.each([
    [
      "4",
      {
        "Card series": "0x1002",
        "Card model": "Radeon",
        "Average Graphics Package Power (W)": "26.0",
        "GPU memory use (%)": "7",
        "GPU ID": "0x66a1",
      },
    ],
    [
      "6",
      {
        "Device Name": "Radeon",
        "Current Socket Graphics Package Power (W)": "26.0",
        "GPU Memory Read/Write Activity (%)": "7",
        "Device ID": "0x66a1",
      },
    ],
  ])("is read in the words of version %s", (_, words) => {
    const card = { ...common, ...words, "Unique ID": "0x2f048617326b1ea" };

    expect(readRocmSmi({ card0: card, system: { "Driver version": "6.3.6" } })).toMatchObject([
      {
        uuid: "GPU-02f048617326b1ea",
        model: "Radeon",
        pciId: "1002:66a1",
        serial: { unavailable: "not-supported" },
        driver: { version: "6.3.6" },
        power: { drawWatts: 26, limitWatts: 225 },
        utilisation: { gpuPercent: 0, memoryPercent: 7 },
        temperature: { gpuCelsius: 38 },
        clocks: { coreMhz: 1725, memoryMhz: 1000 },
        pcie: { generation: 4, width: 16, replays: 0 },
      },
    ]);
  });

  it("has no draw of its own for the second die of a card", () => {
    const card = { ...common, "Average Graphics Package Power (W)": "N/A (Secondary die)" };

    expect(readRocmSmi({ card1: card })).toMatchObject([
      { index: 1, power: { drawWatts: { unavailable: "not-supported" } } },
    ]);
  });

  it.each([undefined, [], {}, { system: {} }])("is none: %o", (document) => {
    expect(readRocmSmi(document)).toBeUndefined();
  });
});
