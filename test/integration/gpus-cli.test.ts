/**
 * `lium-executor gpus`: one schema for a machine, a copy of its files, captures of its tools and GPUs that are made up.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { runProgram } from "../../common/cli/program.ts";
import { systemClock } from "../../common/clock.ts";
import { addGpusCommands } from "../../executor/cli/gpus.ts";
import { Accelerator, Accelerators } from "../../protocol/accelerator.ts";
import { FakeDriver, fakeGpus, fakeUuid } from "../support/gpus/fake-driver.ts";
import { addAmd, addArc, addKfd, addNvidia, FakeSysfs } from "../support/gpus/fake-sysfs.ts";
import { smiLog } from "../support/gpus/smi-xml.ts";

interface Run {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

let folder: string;
let sysfs: FakeSysfs;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "gpus-cli-"));
  sysfs = new FakeSysfs();
});
afterEach(() => {
  rmSync(folder, { recursive: true });
  sysfs.remove();
});

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

async function run(...argv: string[]): Promise<Run> {
  const written = { stdout: "", stderr: "" };
  const sink = (name: keyof typeof written) => ({ write: (text: string) => (written[name] += text) });
  const exitCode = await runProgram(
    {
      name: "lium-executor",
      description: "",
      addCommands: (program, { host, output }) => {
        const add = (parent: typeof program, name: string, description: string) =>
          parent
            .command(name)
            .description(description)
            .option("--config <file>", "", join(folder, "executor.toml"))
            .option("--json");
        addGpusCommands(program, { host, output, add });
      },
    },
    argv,
    {
      stdout: sink("stdout"),
      stderr: sink("stderr"),
      env: {},
      clock: systemClock(),
      interrupted: () => new AbortController().signal,
    },
  );
  return { exitCode, ...written };
}

async function listOf(...argv: string[]): Promise<Accelerators> {
  return Accelerators.parse(JSON.parse((await run("gpus", "list", "--json", ...argv)).stdout));
}

describe("gpus list --replay", () => {
  it("gives what the executor would see, whatever tool the capture is of", async () => {
    const xml = file("a", smiLog([{ address: "0000:53:00.0", number: 1 }]));
    const rocm = file(
      "b",
      JSON.stringify({
        card0: { "PCI Bus": "0000:63:00.0", "VRAM Total Memory (B)": "34342961152", "Device Name": "MI50" },
      }),
    );
    const xpu = file(
      "c",
      JSON.stringify({ device_list: [{ device_id: 0, pci_bdf_address: "0000:03:00.0", device_name: "Arc" }] }),
    );
    const hl = file(
      "d",
      "index, uuid, name, bus_id, memory.total [MiB], temperature.aip [C]\n0, A, HL-225, 0000:08:00.0, 98304 MiB, 26 C\n",
    );

    const { gpus } = await listOf("--replay", xml, rocm, xpu, hl);

    expect(gpus.map(({ vendor, model }) => `${vendor} ${JSON.stringify(model)}`).toSorted()).toEqual([
      'amd "MI50"',
      'intel "Arc"',
      'intel "HL-225"',
      'nvidia "NVIDIA H100 80GB HBM3"',
    ]);
  });

  it("joins captures of one host: tables, lists, topology, processes", async () => {
    const csv = file(
      "csv",
      `index, uuid, pci.bus_id, name, memory.total [MiB], mig.mode.current\n0, ${fakeUuid(1)}, 00000000:53:00.0, H100, 81559 MiB, Enabled\n1, ${fakeUuid(2)}, 00000000:54:00.0, H100, 81559 MiB, Disabled\n`,
    );
    const list = file(
      "list",
      `GPU 0: H100 (UUID: ${fakeUuid(1)})\n  MIG 1g.10gb     Device  0: (UUID: ${fakeUuid(9, "MIG")})\nGPU 1: H100 (UUID: ${fakeUuid(2)})\n`,
    );
    const topology = file("topo", "\tGPU0\tGPU1\tCPU Affinity\nGPU0\t X \tNV18\t0-31\nGPU1\tNV18\t X \t0-31\n");
    const processes = file("apps", `gpu_uuid, pid, used_gpu_memory [MiB]\n${fakeUuid(2)}, 42, 512 MiB\n`);

    const { gpus, pairs } = await listOf("--replay", csv, list, topology, processes);

    expect(gpus).toMatchObject([
      { uuid: fakeUuid(1), partitioned: true, partitions: [{ uuid: fakeUuid(9, "MIG"), profile: "1g.10gb" }] },
      { uuid: fakeUuid(2), processes: [{ pid: 42 }], partitions: [] },
    ]);
    expect(pairs).toMatchObject([{ nvlinks: 18 }]);
  });

  it.each([
    ["NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", 0],
    ["GPU 00000000:53:00.0 is a line of some log\n", 1],
    ['{"a": 1}', 1],
    ["", 1],
  ])("knows %j for what it is", async (text, exitCode) => {
    const result = await run("gpus", "list", "--json", "--replay", file("x", text));

    expect(result.exitCode).toBe(exitCode);
  });

  it("names a file that is not there", async () => {
    const { exitCode, stderr } = await run("gpus", "list", "--replay", join(folder, "none"));

    expect([exitCode, stderr]).toEqual([1, expect.stringContaining("none cannot be read")]);
  });
});

describe("gpus list --root", () => {
  it("demand 18: gives a copied host's devices, mixed as they are, and asks no driver", async () => {
    addNvidia(sysfs, { address: "0000:53:00.0", uuid: fakeUuid(1) });
    addAmd(sysfs, { address: "0000:26:00.0", uniqueId: 0x11n, card: 1, render: 128 });
    addKfd(sysfs, [{ node: 1, address: "0000:26:00.0", uniqueId: 0x11n, render: 128 }]);
    addArc(sysfs, "0000:03:00.0", "i915");
    sysfs.device({ address: "0000:00:02.0", vendor: "8086", device: "a780", classCode: "030000", driver: "i915" });

    const { gpus, pairs } = await listOf("--root", sysfs.folder);

    expect(gpus.map(({ uuid, health }) => [uuid, health.state])).toEqual([
      ["GPU-0000000000000011", "healthy"],
      [fakeUuid(1), "suspect"],
      ["INTEL-0000:03:00.0", "healthy"],
    ]);
    expect(pairs).toHaveLength(3);
  });

  it("may be joined with captures of the same host", async () => {
    addNvidia(sysfs, { address: "0000:53:00.0", uuid: fakeUuid(1), numaNode: 1 });
    const xml = file("a", smiLog([{ address: "0000:53:00.0", number: 1 }]));

    const { gpus } = await listOf("--root", sysfs.folder, "--replay", xml);

    expect(gpus).toMatchObject([
      { uuid: fakeUuid(1), numaNode: 1, power: { drawWatts: 98.31 }, health: { state: "healthy" } },
    ]);
  });
});

describe("gpus", () => {
  it("gives GPUs that are simulated, marked in words too", async () => {
    file("executor.toml", '[gpus]\nsimulate = "2xH100"\n');
    const { stdout } = await run("gpus", "list");

    expect(stdout.match(/\(simulated\)/g)).toHaveLength(2);
    expect((await listOf()).gpus.every(({ simulated }) => simulated)).toBe(true);
  });

  it("show gives one of them whole, and refuses what is not there", async () => {
    file("executor.toml", '[gpus]\nsimulate = "2xH100"\n');
    const [first] = (await listOf()).gpus;
    const shown = await run("gpus", "show", first?.uuid ?? "", "--json");

    expect(Accelerator.parse(JSON.parse(shown.stdout))).toEqual(first);
    expect((await run("gpus", "show", first?.uuid ?? "")).stdout).toMatch(/memory\.totalBytes +85899345920/);
    expect((await run("gpus", "show", "GPU-none")).stderr).toContain("gpu-unknown");
  });

  it("watch prints a picture a line, with what changed since the one before", async () => {
    addNvidia(sysfs, { address: "0000:53:00.0", uuid: fakeUuid(1) });
    const watching = run("gpus", "watch", "--json", "--root", sysfs.folder, "--every", "1", "--count", "2");
    addNvidia(sysfs, { address: "0000:54:00.0", uuid: fakeUuid(2) });
    const lines = (await watching).stdout.trim().split("\n");

    expect(lines).toHaveLength(2);
    expect(JSON.parse(lines[1] ?? "")).toMatchObject({ gpus: [{}, {}] });
    expect((await run("gpus", "watch", "--every", "0")).exitCode).toBe(1);
  });

  it("reads a driver that is there through its library", async () => {
    const driver = new FakeDriver();
    driver.set(fakeGpus(1));
    file("executor.toml", `[gpus]\nnvmlLibrary = "${driver.library}"\nnvidiaSmi = "/nonexistent"\n`);
    const { exitCode, stdout } = await run("gpus", "list");
    driver.remove();

    expect([exitCode, stdout]).toEqual([0, expect.any(String)]);
  });
});
