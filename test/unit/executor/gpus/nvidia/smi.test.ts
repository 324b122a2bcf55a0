/** What nvidia-smi prints in its good and bad days, and what is kept of it. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { columnsFor, readingsOf } from "../../../../../executor/gpus/nvidia/smi/fields.ts";
import {
  parseList,
  parseNvlinks,
  parseProcesses,
  parseTopology,
} from "../../../../../executor/gpus/nvidia/smi/lists.ts";
import { stateOf } from "../../../../../executor/gpus/nvidia/smi/source.ts";
import { addressIn, namesInHelp, parseTable } from "../../../../../executor/gpus/nvidia/smi/table.ts";
import {
  bytesValue,
  countValue,
  fabricHealth,
  flagValue,
  numberValue,
  percentValue,
  recoveryValue,
  textValue,
} from "../../../../../executor/gpus/values.ts";

const MIB = 2 ** 20;

describe("a value", () => {
  it.each([
    ["98.31 W", 98.31],
    ["-8 C", -8],
    ["16x", 16],
    ["0 %", 0],
    ["39595 us", 39_595],
    ["2560 bank(s)", 2560],
    ["81559 MiB", 81_559 * MIB],
  ])("%s is a number", (text, number) => {
    expect(numberValue(text)).toBe(number);
  });

  it.each([
    ["N/A", "not-supported"],
    ["[N/A]", "not-supported"],
    ["[Not Supported]", "not-supported"],
    ["", "not-supported"],
    ["Requested functionality has been deprecated", "deprecated"],
    ["[GPU is lost]", "lost"],
    ["[GPU requires reset]", "reset-required"],
    ["[Insufficient Permissions]", "no-permission"],
    ["[Unknown Error]", "error"],
    ["ERR!", "error"],
    [undefined, "not-read"],
  ])("%s is none, and says why", (text, reason) => {
    for (const parse of [textValue, numberValue, bytesValue, countValue, percentValue]) {
      expect(parse(text)).toMatchObject({ unavailable: reason });
    }
  });

  it("is never a zero that nobody wrote", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        fc.pre(!/\d/.test(text));

        expect(numberValue(text)).toHaveProperty("unavailable");
      }),
    );
  });

  it("keeps flags, actions and states in our words", () => {
    expect(["Enabled", "[Disabled]", "Not Active", "Yes", "N/A"].map((text) => flagValue(text))).toEqual([
      true,
      false,
      false,
      true,
      { unavailable: "not-supported" },
    ]);
    expect(
      ["None", "Reset", "GPU Reset", "Reboot", "Drain and Reset", "Drain P2P"].map((text) => recoveryValue(text)),
    ).toEqual(["none", "reset", "reset", "reboot", "drain-and-reset", "drain-peers"]);
    expect(fabricHealth("Unhealthy")).toBe("unhealthy");
  });
});

const COLUMNS = ["index", "uuid", "pci.bus_id", "temperature.gpu", "memory.total", "power.draw"];

describe("a table", () => {
  const text = [
    "0, GPU-aaaaaaaa-0000-0000-0000-000000000001, 00000000:17:00.0, 41, 81559, 98.31",
    "Unable to determine the device handle for GPU0000:2A:00.0: Unknown Error",
    "[Unknown Error], [Unknown Error], [Unknown Error], [Unknown Error], [Unknown Error], [Unknown Error]",
    "2, GPU-aaaaaaaa-0000-0000-0000-000000000003, 00000000:3D:00.0, [GPU is lost], [GPU is lost], [GPU is lost]",
  ].join("\n");

  it("keeps the whole rows, and reads prose for the device that it complains of", () => {
    const readings = readingsOf(parseTable(text, COLUMNS), "nvidia-smi");

    expect(readings).toMatchObject([
      { uuid: "GPU-aaaaaaaa-0000-0000-0000-000000000001", pciAddress: "0000:17:00.0", power: { drawWatts: 98.31 } },
      { pciAddress: "0000:3d:00.0", memory: { totalBytes: { unavailable: "lost" } } },
      { uuid: "PCI-0000:2a:00.0", identity: "pci", health: { reasons: [{ code: "lost", fence: true }] } },
    ]);
  });

  it("may have its names and units in its first line", () => {
    const { rows } = parseTable("uuid, memory.total [MiB]\nGPU-1, 81559 MiB");

    expect(Object.fromEntries(rows[0] ?? [])).toEqual({ uuid: "GPU-1", "memory.total": "81559 MiB" });
  });

  it("is read under the old names of columns too", () => {
    const old =
      "gpu_uuid, clocks_throttle_reasons.active, power.draw [W]\nGPU-aaaaaaaa-0000, 0x0000000000000044, 250.00 W";

    expect(readingsOf(parseTable(old), "nvidia-smi")).toMatchObject([
      { uuid: "GPU-aaaaaaaa-0000", throttle: { reasons: ["power-cap", "hw-thermal"] }, power: { drawWatts: 250 } },
    ]);
  });

  it("is asked for by the names that the driver knows", () => {
    const help =
      '"uuid" or "gpu_uuid"\nThe id\n\n"clocks_throttle_reasons.active" or "x"\n\nSection\n"power.draw"\nsays "fan.speed"';
    const columns = columnsFor(namesInHelp(help));

    expect(columns).toEqual(["uuid", "power.draw", "clocks_throttle_reasons.active"]);
  });

  it.each([
    ["Unable to determine the device handle for GPU0000:2A:00.0: GPU is lost.", "0000:2a:00.0"],
    ["WARNING: infoROM is corrupted at gpu 0000:2A:00.0", "0000:2a:00.0"],
    ["No devices were found", undefined],
  ])("finds the device in: %s", (line, address) => {
    expect(addressIn(line)).toBe(address);
  });
});

describe("its exit status", () => {
  const done = (exitCode: number, stdout = "", stderr = "") => ({ ok: true, exitCode, stdout, stderr }) as const;

  it.each([
    [done(9, "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."), 0, "absent"],
    [done(0, "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."), 0, "absent"],
    [done(6, "No devices were found"), 0, "absent"],
    [done(18, "Failed to initialize NVML: Driver/library version mismatch"), 0, "failed"],
    [done(255, "Failed to initialize NVML: Unknown Error"), 0, "failed"],
    [done(0), 0, "failed"],
    [done(15, "rows"), 7, "ok"],
    [done(0, "rows"), 8, "ok"],
  ])("%o with %i rows is %s", (outcome, rows, state) => {
    expect(stateOf(outcome, rows).state).toBe(state);
  });

  it("of a table that is not whole is told with the rest", () => {
    expect(stateOf(done(15, "x"), 7).detail).toBe("status 15: A device has fallen off the bus.");
  });
});

describe("its lists", () => {
  it("give MIG instances under their devices", () => {
    const gpus = parseList(
      [
        "GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-00000000-0000-0000-0000-000000000001)",
        "  MIG 3g.40gb     Device  0: (UUID: MIG-00000000-0000-0000-0000-000000000002)",
        "  MIG 1g.10gb     Device  1: (UUID: MIG-00000000-0000-0000-0000-000000000003)",
        "GPU 1: NVIDIA H100 80GB HBM3 (UUID: GPU-00000000-0000-0000-0000-000000000004)",
      ].join("\n"),
    );

    expect(gpus.map(({ partitions }) => partitions.length)).toEqual([2, 0]);
    expect(gpus[0]?.partitions[0]).toMatchObject({
      profile: "3g.40gb",
      computeSlices: 3,
      memory: { totalBytes: 40e9 },
    });
  });

  it("give how devices reach each other, without network cards and colours", () => {
    const text = [
      "\t\u001b[4mGPU0\tGPU1\tGPU2\tNIC0\tCPU Affinity\tNUMA Affinity\u001b[0m",
      "GPU0\t X \tNV18\tSYS\tPIX\t0-31\t0",
      "GPU1\tNV18\t X \tPXB\tSYS\t0-31\t0",
      "GPU2\tSYS\tNODE\t X \tSYS\t32-63\t1",
      "NIC0\tPIX\tSYS\tSYS\t X ",
      "",
      "Legend:",
    ].join("\n");

    expect(parseTopology(text)).toEqual([
      { a: 0, b: 1, nvlinks: 18 },
      { a: 0, b: 2, path: "system", nvlinks: 0 },
    ]);
  });

  it("give links, active or not, under their devices", () => {
    const text = `GPU 0: H100 (UUID: GPU-1)\n\t Link 0: 26.562 GB/s\n\t Link 1: <inactive>\nGPU 1: H100 (UUID: GPU-2)\nNvlink queries are not supported\n`;

    expect([...parseNvlinks(text)].map(([uuid, links]) => [uuid, links.map(({ active }) => active)])).toEqual([
      ["GPU-1", [true, false]],
      ["GPU-2", []],
    ]);
  });

  it("give processes, also those whose memory is not told", () => {
    expect(parseProcesses("GPU-1, 4242, 512\nGPU-1, 4243, [N/A]\nGPU-2, 7, 1").get("GPU-1")).toEqual([
      { pid: 4242, memoryBytes: 512 * MIB },
      { pid: 4243, memoryBytes: { unavailable: "not-supported" } },
    ]);
  });
});
