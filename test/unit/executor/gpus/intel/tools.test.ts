/** Intel's tools: two versions of one that have nothing in common, and Gaudi's. */
import { describe, expect, it } from "vitest";

import { readHlSmiBox, readHlSmiTable } from "../../../../../executor/gpus/intel/hl-smi.ts";
import { HL_SMI, XPU_SMI } from "../../../../../executor/gpus/intel/tools.ts";
import {
  readXpuSmiBox,
  readXpuSmiJson,
  readXpuSmiSummary,
  xpuSmiDialect,
} from "../../../../../executor/gpus/intel/xpu-smi.ts";
import { parseTable } from "../../../../../executor/gpus/nvidia/smi/table.ts";

const MIB = 2 ** 20;
const DEVICE = {
  device_id: 0,
  device_name: "Intel Data Center GPU Flex 170",
  device_type: "GPU",
  pci_bdf_address: "0000:4d:00.0",
  pci_device_id: "0x56c0",
  uuid: "00000000-0000-0000-0000-56c000008086",
};

describe("xpu-smi 1.3", () => {
  it("lists devices by their places, since its UUIDs may be the same for several", () => {
    const twin = { ...DEVICE, device_id: 1, pci_bdf_address: "0000:5d:00.0" };

    expect(readXpuSmiJson({ device_list: [DEVICE, twin] })).toMatchObject([
      { uuid: "INTEL-0000:4d:00.0", pciId: "8086:56c0", model: "Intel Data Center GPU Flex 170" },
      { uuid: "INTEL-0000:5d:00.0", index: 1 },
    ]);
  });

  it("has no devices, or is not of its kind", () => {
    expect(readXpuSmiJson({ device_list: [] })).toEqual([]);
    expect(readXpuSmiJson({ error: "No device found." })).toBeUndefined();
  });

  it("is asked for its list, then for each device's details and measurements, and joins them", () => {
    const details = {
      ...DEVICE,
      memory_physical_size_byte: "15032385536",
      driver_version: "1.3",
      serial_number: "unknown",
    };
    const stats = {
      device_id: 0,
      device_level: [
        { metrics_type: "XPUM_STATS_POWER", value: 15.5 },
        { metrics_type: "XPUM_STATS_GPU_UTILIZATION", value: 0 },
        { metrics_type: "XPUM_STATS_MEMORY_USED", value: 24 },
      ],
    };
    const answers = ["CLI:\n    Version: 1.3.1.20250731", { device_list: [DEVICE] }, details, stats].map((one) =>
      typeof one === "string" ? one : JSON.stringify(one),
    );
    const asked: (readonly string[])[] = [];
    const outputs: string[] = [];
    for (let args = XPU_SMI.next(outputs); args !== undefined; args = XPU_SMI.next(outputs)) {
      asked.push(args);
      outputs.push(answers[outputs.length] ?? "");
    }

    expect(asked).toEqual([
      ["--version"],
      ["discovery", "-j"],
      ["discovery", "-d", "0", "-j"],
      ["stats", "-d", "0", "-j"],
    ]);
    expect(XPU_SMI.parse(outputs)?.readings).toMatchObject([
      {
        memory: { totalBytes: 15_032_385_536, usedBytes: 24 * MIB },
        power: { drawWatts: 15.5 },
        utilisation: { gpuPercent: 0 },
        serial: { unavailable: "not-supported" },
      },
    ]);
  });

  it("prints a box without -j", () => {
    const box = [
      "+-----------+------------------------------------+",
      "| Device ID | Device Information                 |",
      "+-----------+------------------------------------+",
      "| 0         | Device Name: Intel(R) Arc(TM) B580 |",
      "|           | PCI BDF Address: 0000:03:00.0      |",
      "|           | Memory Physical Size: 12216.00 MiB |",
      "|           | ECC State: disabled                |",
      "+-----------+------------------------------------+",
      "| 1         | Device Name: Intel(R) Arc(TM) B570 |",
      "|           | PCI BDF Address: 0000:04:00.0      |",
    ].join("\n");

    expect(readXpuSmiBox(box)).toMatchObject([
      { uuid: "INTEL-0000:03:00.0", memory: { totalBytes: 12_216 * MIB }, ecc: { enabled: false } },
      { uuid: "INTEL-0000:04:00.0", memory: { totalBytes: { unavailable: "not-read" } } },
    ]);
    expect(readXpuSmiBox("something else")).toBeUndefined();
  });
});

describe("xpu-smi 2", () => {
  it.each([
    ["CLI:\n    Version: 1.0.0.20211217", 1],
    ["Intel XPU-SMI v2.0", 2],
    ["XPU-SMI 2.1.0", 2],
    ["nothing", undefined],
  ])("is told from %j", (text, dialect) => {
    expect(xpuSmiDialect(text)).toBe(dialect);
  });

  it("is asked as nvidia-smi is", () => {
    const table =
      "index, name, pci.bus_id, memory.total [MiB], power.draw [W]\n0, Intel(R) Arc(TM) Pro B60, 0000:03:00.0, 24480 MiB, 66.10 W";

    expect(XPU_SMI.next(["XPU-SMI v2.0"])?.[0]).toMatch(/^--query-gpu=/);
    expect(XPU_SMI.next(["XPU-SMI v2.0", table])).toBeUndefined();
    expect(XPU_SMI.parse(["XPU-SMI v2.0", table])?.readings).toMatchObject([
      { uuid: "INTEL-0000:03:00.0", memory: { totalBytes: 24_480 * MIB }, power: { drawWatts: 66.1 } },
    ]);
  });

  it("prints a summary of two lines a card", () => {
    const summary = [
      "|            Intel XPU-SMI v2.0    Driver: 9FF4708    Level Zero: 1.27.0             |",
      "|   0  Intel(R) Arc(TM) B580   Off             | 0000:03:00.0      Off      |  Disabled |",
      "| N/A    25C  66W / 380W                       | 239MiB / 12216MiB          |      0%        Default |",
    ].join("\n");

    expect(readXpuSmiSummary(summary)).toMatchObject([
      {
        model: "Intel(R) Arc(TM) B580",
        temperature: { gpuCelsius: 25 },
        power: { drawWatts: 66, limitWatts: 380 },
        memory: { usedBytes: 239 * MIB, totalBytes: 12_216 * MIB },
        utilisation: { gpuPercent: 0 },
      },
    ]);
  });
});

describe("hl-smi", () => {
  const columns =
    "index, uuid, name, bus_id, memory.total [MiB], memory.used [MiB], power.draw [W], temperature.aip [C], utilization.aip [%]";

  it("gives devices in the order of the bus and not of its index", () => {
    const rows = [
      "0, 01P0-A, HL-225, 0000:09:00.0, 98304 MiB, 768 MiB, 87 W, 26 C, 0 %",
      "1, 01P0-B, HL-225, 0000:08:00.0, 98304 MiB, 768 MiB, 99 W, 28 C, 3 %",
    ];
    const readings = readHlSmiTable(parseTable([columns, ...rows].join("\n")));

    expect(HL_SMI.next([])?.slice(0, 1)).toEqual(["-Q"]);
    expect(HL_SMI.next([""])).toBeUndefined();
    expect(readings).toMatchObject([
      {
        uuid: "GAUDI-0000:08:00.0",
        index: 1,
        serial: "01P0-B",
        utilisation: { gpuPercent: 3 },
        memory: { totalBytes: 98_304 * MIB },
      },
      { uuid: "GAUDI-0000:09:00.0", index: 0 },
    ]);
  });

  it("prints a table for people, of two lines a device", () => {
    const box = [
      "| HL-SMI Version:                              hl-1.14.0 |",
      "| Driver Version:                                     1.15.0-c43dc7b          |",
      "|   0  HL-225              N/A  | 0000:09:00.0     N/A |                   0  |",
      "| N/A   26C   N/A    87W / 600W |    768MiB / 98304MiB |     0%           N/A |",
    ].join("\n");

    expect(readHlSmiBox(box)).toMatchObject([
      {
        uuid: "GAUDI-0000:09:00.0",
        driver: { version: "1.15.0-c43dc7b" },
        power: { drawWatts: 87, limitWatts: 600 },
        temperature: { gpuCelsius: 26 },
        ecc: { uncorrectedVolatile: 0 },
      },
    ]);
  });
});
