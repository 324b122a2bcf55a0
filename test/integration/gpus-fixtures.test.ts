/**
 * Public captures of real hosts, replayed: each must yield what is known of its host. They lie beside the project and not in
 * it; where that folder is not, these tests are skipped and say so.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { describe, expect, it, onTestFinished } from "vitest";

import { readKfdNodes, xgmiWeights } from "../../executor/gpus/amd/kfd.ts";
import { columnsFor, readingsOf } from "../../executor/gpus/nvidia/smi/fields.ts";
import { stateOf } from "../../executor/gpus/nvidia/smi/source.ts";
import { namesInHelp, parseTable } from "../../executor/gpus/nvidia/smi/table.ts";
import { replay } from "../../executor/gpus/replay/replay.ts";
import { rootAt } from "../../executor/gpus/sysfs/root.ts";
import { type Accelerator, Accelerators } from "../../protocol/accelerator.ts";

const folder = fileURLToPath(new URL("../../../shared/fixtures/", import.meta.url));
const AT = "2026-01-01T00:00:00.000Z";
const MIB = 2 ** 20;

function read(path: string): string {
  return readFileSync(join(folder, path), "utf8");
}

function gpusOf(...paths: string[]): Accelerator[] {
  const files = paths.map((name) => ({ name, text: read(name) }));
  const { gpus, ...rest } = replay(files, AT);
  expect(Accelerators.parse({ gpus, ...rest })).toEqual({ gpus, ...rest });
  return gpus;
}

function xml(name: string): Accelerator[] {
  return gpusOf(`nvidia/smi-xml/${name}.xml`);
}

/** The names of what nobody could read. */
function unread(node: unknown, path = ""): string[] {
  if (typeof node !== "object" || node === null || Array.isArray(node)) return [];
  if ("unavailable" in node) return [path.slice(1)];
  return Object.entries(node).flatMap(([name, inner]) => unread(inner, `${path}.${name}`));
}

describe.skipIf(!existsSync(folder))("public captures", () => {
  it("8 H100: every one whole, its draw from the instant reading, and nothing unread but what the log does not hold", () => {
    const gpus = xml("real-h100");

    expect(gpus).toHaveLength(8);
    expect(gpus[0]).toMatchObject({
      power: { drawWatts: 68.92 },
      memory: { totalBytes: 81_559 * MIB, usedBytes: 0 },
      temperature: { gpuCelsius: 29, marginCelsius: 58, memoryCelsius: 37 },
      fabric: { state: "completed" },
      recoveryAction: "none",
      throttle: { reasons: ["idle"], powerCapMicros: 7_015_662_857 },
    });
    for (const gpu of gpus) {
      expect(unread(gpu)).toEqual([
        "driver.name",
        "numaNode",
        "localCpus",
        "temperature.slowdownCelsius",
        "fanPercent",
        "power.energyMillijoules",
        "rows.retiredPages",
        "pcie.correctableErrors",
        "pcie.fatalErrors",
        "fabric.health",
        "fabricLinks",
      ]);
    }
  });

  it.each(["real-gb200", "real-gb300"])("%s: four devices, also beyond PCI domain 0", (name) => {
    const gpus = xml(name);

    expect(gpus).toHaveLength(4);
    expect(new Set(gpus.map(({ pciAddress }) => pciAddress)).size).toBe(4);
    expect(gpus.every(({ health }) => health.state === "healthy")).toBe(true);
  });

  it("every log of 4xx to 595 gives readable devices, one or several, with a draw where the device has one", () => {
    const names = existsSync(folder) ? readdirSync(join(folder, "nvidia/smi-xml")) : [];
    for (const name of names) {
      for (const gpu of gpusOf(`nvidia/smi-xml/${name}`)) {
        expect([name, typeof gpu.model, typeof gpu.memory.totalBytes]).toEqual([name, "string", "number"]);
        expect([name, unread(gpu.throttle.reasons)]).toEqual([name, expect.any(Array)]);
      }
    }
    expect(names.length).toBeGreaterThan(15);
    expect(xml("real-a100")[0]?.power.drawWatts).toBe(49.68);
    expect(xml("telegraf-gtx-1070-ti")[0]?.power.drawWatts).toEqual({ unavailable: "not-supported" });
  });

  it("MIG: children with the ids of their instances, and use that their parent cannot tell", () => {
    const [gpu] = xml("telegraf-a100-sxm4-v12");

    expect(gpu?.utilisation.gpuPercent).toEqual({ unavailable: "not-supported" });
    expect(
      gpu?.partitions.map(({ gpuInstance, computeInstance, parent }) => [gpuInstance, computeInstance, parent]),
    ).toEqual([3, 4, 5, 6].map((id) => [id, 0, gpu?.uuid]));
    expect(gpu?.partitions[0]?.memory).toMatchObject({ totalBytes: 19_968 * MIB, usedBytes: 12 * MIB });
  });

  it("counters, rows, fabric and throttling as they were injected", () => {
    expect(xml("mocknvml-gb200-ecc-injected")[0]).toMatchObject({
      ecc: { uncorrectedVolatile: 5, uncorrectedAggregate: 8 },
      rows: { remappedUncorrectable: 1, failed: true },
    });
    expect(xml("mocknvml-gb200-fabric-degraded").map(({ fabric }) => fabric.health)).toEqual(["healthy", "unhealthy"]);
    expect(xml("mocknvml-gb200-throttle-counters")[0]?.throttle).toMatchObject({
      powerCapMicros: 39_595,
      hwThermalMicros: 0,
    });
    expect(
      ["530", "550"].map((version) =>
        xml(`netip-gtx1070-${version}`).every(({ throttle }) => Array.isArray(throttle.reasons)),
      ),
    ).toEqual([true, true]);
  });

  it("a table with a lost device: whole rows kept, the lost one known by its place", () => {
    const columns = ["index", "uuid", "pci.bus_id", "temperature.gpu", "utilization.gpu", "memory.total", "power.draw"];
    const readings = readingsOf(parseTable(read("nvidia/synthetic/SYNTHETIC-query-gpu-one-lost.csv"), columns), "csv");

    expect(readings.map(({ pciAddress }) => pciAddress)).toEqual([
      "0000:17:00.0",
      "0000:3d:00.0",
      "0000:5d:00.0",
      "0000:9a:00.0",
      "0000:2a:00.0",
    ]);
    expect(readings[2]?.temperature?.gpuCelsius).toEqual({ unavailable: "lost" });
    expect(readings[3]?.memory?.totalBytes).toEqual({ unavailable: "no-permission" });
  });

  it("messages of nvidia-smi, with the exit codes that come with them", () => {
    const lines = read("nvidia/synthetic/SYNTHETIC-stdout-errors.txt")
      .split("\n")
      .filter((line) => /^\d/.test(line));
    const states = lines.map((line) => {
      const [code = "", stdout = ""] = line.split("\t");
      return `${code} ${stateOf({ ok: true, exitCode: Number(code), stdout, stderr: "" }, 0).state}`;
    });

    expect(states).toEqual(["9 absent", "18 failed", "15 failed", "255 failed", "6 absent", "14 failed"]);
  });

  it("captures of many commands: tables with units, instances by name, processes, what the driver can be asked for", () => {
    const mig = "nvidia/smi-captures/linux-x86_64__nvidia-h100-mig__590.48.01.txt";
    const [gpu] = gpusOf(mig);

    expect(gpu).toMatchObject({ partitioned: true, driver: { version: "590.48.01" }, power: { drawWatts: 70.72 } });
    expect(gpu?.partitions.map(({ profile }) => profile)).toEqual(["3g.40gb", "2g.20gb", "1g.10gb", "1g.10gb"]);
    const known = namesInHelp(read(mig));
    expect(columnsFor(known)).toEqual(columnsFor(new Set()));
    for (const name of readdirSync(join(folder, "nvidia/smi-captures")).filter((one) => one.startsWith("linux"))) {
      expect([name, gpusOf(`nvidia/smi-captures/${name}`)[0]?.health.state]).toEqual([name, "healthy"]);
    }
  });

  it("links of 8 A100, twelve each", () => {
    const gpus = gpusOf("nvidia/logs/nvidia-smi.nvlink.status.a100.txt");

    expect(gpus.map(({ fabricLinks }) => (Array.isArray(fabricLinks) ? fabricLinks.length : 0))).toEqual(
      gpus.map(() => 12),
    );
    expect(gpus.length).toBeGreaterThan(1);
  });

  it.each(["rocm430", "rocm571", "rocm602", "rocm612"])("rocm-smi %s gives the same card", (version) => {
    expect(gpusOf(`amd/rocm-smi/telegraf-rx6700xt_${version}.json`)).toMatchObject([
      {
        pciAddress: "0000:07:00.0",
        pciId: "1002:73df",
        memory: { totalBytes: 12_868_124_672 },
        utilisation: { gpuPercent: 0 },
        temperature: { gpuCelsius: 47, memoryCelsius: 46 },
        clocks: { memoryMhz: 96 },
      },
    ]);
  });

  it("amd-smi: lists and gpu_data, texts in place of blocks, throttling, uncorrectable errors", () => {
    expect(gpusOf("amd/amd-smi/SYNTHETIC-metric-rocm6-flat-array.json")).toHaveLength(2);
    const seven = gpusOf("amd/amd-smi/SYNTHETIC-metric-rocm7-gpu_data.json");
    expect(seven.map(({ throttle }) => throttle.reasons)).toEqual([[], ["other"], []]);
    expect(seven.map(({ health }) => health.state)).toEqual(["healthy", "healthy", "fenced"]);
    const dpx = gpusOf("amd/amd-smi/SYNTHETIC-metric-rocm7-mi300x-dpx.json");
    expect(dpx[1]?.utilisation.gpuPercent).toHaveProperty("unavailable");
    expect(dpx[1]?.memory.usedBytes).toBe(0);
    expect(gpusOf("amd/amd-smi/static-mi210-gpu_data.json")).toMatchObject([
      { model: "AMD Instinct MI210", pcie: { maxGeneration: 4, maxWidth: 16 } },
    ]);
  });

  it("KFD: addresses from locations, partitions of one card under one id, the XGMI matrix", () => {
    const vega = readKfdNodes(rootAt(join(folder, "amd/kfd-topology/vega-2gpu")), "/topology/nodes");
    expect(
      vega.map(({ cardAddress, renderMinor, memoryBytes }) => [cardAddress, renderMinor, memoryBytes]),
    ).toMatchObject([
      ["0000:19:00.0", 128, 17_163_091_968],
      [expect.any(String), 129, expect.any(Number)],
    ]);
    const cpx = kfdIn("topo-mi300-cpx");
    const ids = new Map(cpx.map(({ uniqueId, cardAddress }) => [uniqueId, cardAddress]));
    expect(ids.size).toBe(8);
    expect(new Set(cpx.map(({ renderMinor }) => renderMinor)).size).toBe(cpx.length);
    expect(xgmiWeights(cpx)).toHaveLength(28);
    const mi308 = kfdIn("topology-parsing-mi308");
    expect([mi308.length, new Set(mi308.map(({ cardAddress }) => cardAddress)).size]).toEqual([32, 8]);
  });

  function kfdIn(name: string) {
    const into = mkdtempSync(join(tmpdir(), "kfd-"));
    onTestFinished(() => rmSync(into, { recursive: true }));
    mkdirSync(into, { recursive: true });
    execFileSync("tar", ["-C", into, "-xzf", join(folder, `amd/kfd-topology/${name}.tar.gz`)]);
    return readKfdNodes(rootAt(into), `/${name}/topology/nodes`);
  }

  it("xpu-smi of both generations, and Gaudi in the order of the bus", () => {
    expect(gpusOf("intel/xpu-smi-1.3/discovery_j.json")).toMatchObject([
      { uuid: "INTEL-0000:4d:00.0", pciId: "8086:020a" },
    ]);
    expect(gpusOf("intel/xpu-smi-1.3/discovery.txt")).toHaveLength(1);
    for (const name of ["summary", "discovery_d0"]) {
      expect(gpusOf(`intel/xpu-smi-2.0/${name}.txt`)).toMatchObject([
        { uuid: "INTEL-0000:03:00.0", memory: { totalBytes: 12_216 * MIB } },
      ]);
    }
    const gaudi = gpusOf("intel/hl-smi/gaudi2-x8-1.14-table.txt");
    expect(gaudi.map(({ index }) => index)).toEqual([1, 0, 2, 4, 3, 5, 7, 6]);
    expect(gaudi[5]?.memory).toMatchObject({ usedBytes: 26_835 * MIB, totalBytes: 98_304 * MIB });
    expect(gpusOf("intel/hl-smi/hl325l-x2.csv")).toMatchObject([{ power: { drawWatts: 226, limitWatts: 850 } }, {}]);
  });
});
