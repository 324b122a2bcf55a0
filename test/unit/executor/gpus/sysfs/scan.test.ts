/** What the files of the kernel say of accelerators, on roots that are written for the purpose. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { rootAt } from "../../../../../executor/gpus/sysfs/root.ts";
import { scanSysfs, type SysfsScan } from "../../../../../executor/gpus/sysfs/scan.ts";
import { addAmd, addArc, addKfd, addNvidia, FakeSysfs } from "../../../../support/gpus/fake-sysfs.ts";

const GIB = 2 ** 30;
let sysfs: FakeSysfs;

beforeEach(() => {
  sysfs = new FakeSysfs();
});
afterEach(() => sysfs.remove());

function scan(): SysfsScan {
  return scanSysfs(rootAt(sysfs.folder));
}

function uuids(): string[] {
  return scan().readings.map(({ uuid }) => uuid);
}

describe("which devices are accelerators", () => {
  it("is nothing on a machine without any", () => {
    expect(scan()).toEqual({ readings: [], pairs: [], places: [], nvidiaModule: undefined, nvidiaLibrary: undefined });
  });

  it("demand 18: is each vendor's discrete cards, and never the graphics or the AI unit of a processor", () => {
    addNvidia(sysfs, { address: "0000:53:00.0", uuid: "GPU-00000000-0000-0000-0000-000000000001" });
    addArc(sysfs, "0000:03:00.0", "xe");
    sysfs.device({ address: "0000:0c:00.0", vendor: "1002", device: "164e", classCode: "030000", driver: "amdgpu" });
    sysfs.device({ address: "0000:00:02.0", vendor: "8086", device: "a780", classCode: "030000", driver: "i915" });
    sysfs.device({ address: "0000:00:0b.0", vendor: "8086", device: "7d1d", classCode: "120000", driver: "intel_vpu" });
    sysfs.device({ address: "0000:04:00.0", vendor: "1a03", device: "2000", classCode: "030000", driver: "ast" });
    sysfs.device({
      address: "0000:53:00.1",
      vendor: "10de",
      device: "22bb",
      classCode: "040300",
      driver: "snd_hda_intel",
    });

    expect(uuids()).toEqual(["INTEL-0000:03:00.0", "GPU-00000000-0000-0000-0000-000000000001"]);
  });

  it("takes in a card of Intel's that was passed to a virtual machine as its second device", () => {
    sysfs.device({ address: "0000:00:02.0", vendor: "8086", device: "56a0", classCode: "030000", driver: "i915" });

    expect(uuids()).toEqual(["INTEL-0000:00:02.0"]);
  });

  it("takes in Gaudi and MI300X, which are processing accelerators and no displays", () => {
    sysfs.device({
      address: "0000:08:00.0",
      vendor: "1da3",
      device: "1020",
      classCode: "120000",
      driver: "habanalabs",
      files: { "accel/accel2/device/status": "Operational" },
    });
    addAmd(sysfs, { address: "0000:26:00.0", uniqueId: 0xabcn, card: 1, render: 128 });
    addKfd(sysfs, [{ node: 1, address: "0000:26:00.0", uniqueId: 0xabcn, render: 128 }]);

    expect(scan().readings).toMatchObject([
      { model: "Intel Gaudi 2", nodes: ["accel/accel2", "accel/accel_controlD2"], health: { reasons: [] } },
      { uuid: "GPU-0000000000000abc", model: "AMD Instinct MI300X" },
    ]);
  });

  it("keeps a PCI domain beyond four digits", () => {
    sysfs.device({ address: "10000:01:00.0", vendor: "10de", device: "2330" });

    expect(scan().readings).toMatchObject([{ pciAddress: "10000:01:00.0" }]);
  });
});

describe("what is wrong with a device already on the bus", () => {
  it.each([
    [undefined, "driver-missing"],
    ["vfio-pci", "given-away"],
    ["nouveau", "driver-unsuitable"],
  ])("fences a device whose driver is %s as %s", (driver, code) => {
    sysfs.device({
      address: "0000:53:00.0",
      vendor: "10de",
      device: "2330",
      ...(driver === undefined ? {} : { driver }),
    });

    expect(scan().readings[0]?.health?.reasons).toMatchObject([{ code, fence: true }]);
  });

  it("fences a device whose configuration space reads all ones as lost", () => {
    for (const address of ["0000:53:00.0", "0000:54:00.0"]) {
      sysfs.device({ address, vendor: "10de", device: "2330", driver: "nvidia" });
    }
    const config = (address: string): string => `/sys/bus/pci/devices/${address}/config`;
    sysfs.write(config("0000:53:00.0"), Buffer.alloc(64, 0xff));
    sysfs.write(config("0000:54:00.0"), Buffer.from("de103023", "hex"));

    expect(scan().readings.map(({ health }) => health?.reasons?.map(({ code }) => code))).toEqual([["lost"], []]);
  });
});

describe("NVIDIA", () => {
  it("has its UUID, model and device file from the kernel module, without any tool", () => {
    addNvidia(sysfs, {
      address: "0000:53:00.0",
      uuid: "GPU-00000000-0000-0000-0000-000000000001",
      minor: 3,
      numaNode: 1,
    });
    const { readings, nvidiaModule } = scan();

    expect(nvidiaModule).toBe("580.105.08");
    expect(readings).toMatchObject([
      {
        identity: "vendor",
        model: "NVIDIA H100 80GB HBM3",
        numaNode: 1,
        nodes: ["nvidia3"],
        driver: { name: "nvidia", version: "580.105.08" },
        pcie: { generation: 5, width: 16, correctableErrors: 3, fatalErrors: 0 },
      },
    ]);
  });

  it("keeps its place as its key while the module does not know its UUID", () => {
    addNvidia(sysfs, { address: "0000:53:00.0", uuid: "GPU-????????-????-????-????-????????????" });

    expect(scan().readings).toMatchObject([{ uuid: "PCI-0000:53:00.0", identity: "pci" }]);
  });

  it("reads the version of the open module too", () => {
    sysfs.write(
      "/proc/driver/nvidia/version",
      "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  595.71.05  Release Build  (dvs-builder@U22)",
    );

    expect(scan().nvidiaModule).toBe("595.71.05");
  });
});

describe("AMD", () => {
  const cards = [
    { address: "0000:26:00.0", uniqueId: 0x11n, card: 1, render: 128 },
    { address: "0000:46:00.0", uniqueId: 0x22n, card: 2, render: 136 },
  ] as const;

  it("is read from its driver's files", () => {
    addAmd(sysfs, cards[0]);
    addKfd(sysfs, [{ node: 1, ...cards[0] }]);

    expect(scan().readings).toMatchObject([
      {
        uuid: "GPU-0000000000000011",
        memory: { totalBytes: 192 * GIB, usedBytes: 3 * GIB, freeBytes: 189 * GIB },
        utilisation: { gpuPercent: 0, memoryPercent: { unavailable: "not-supported" } },
        temperature: { gpuCelsius: 41, memoryCelsius: 33, slowdownCelsius: 100 },
        power: { drawWatts: 138, limitWatts: 750, defaultLimitWatts: { unavailable: "not-supported" } },
        clocks: { coreMhz: 1304, maxCoreMhz: 2100, memoryMhz: 900, maxMemoryMhz: 1300 },
        ecc: { enabled: true, correctedVolatile: 5, uncorrectedVolatile: 0 },
        partitioned: false,
        nodes: ["dri/card1", "dri/renderD128"],
      },
    ]);
  });

  it("has the weight of the way between two cards over XGMI", () => {
    for (const card of cards) addAmd(sysfs, card);
    addKfd(sysfs, [
      { node: 1, ...cards[0], xgmi: [[2, 15]] },
      { node: 2, ...cards[1], xgmi: [[1, 15]] },
    ]);

    expect(scan().pairs).toEqual([{ a: "0000:26:00.0", b: "0000:46:00.0", xgmiWeight: 15 }]);
  });

  it("has the partitions of one card under the card, each with its own render node and share of the memory", () => {
    addAmd(sysfs, { ...cards[0], files: { current_compute_partition: "CPX" } });
    const parts = [0, 1, 2, 3].map((fn) => ({
      node: fn + 1,
      ...cards[0],
      fn,
      render: 128 + fn,
      memoryBytes: 48 * GIB,
    }));
    addKfd(sysfs, parts);
    const [reading] = scan().readings;

    expect(scan().readings).toHaveLength(1);
    expect(reading).toMatchObject({ partitioned: true, partitions: { length: 4 } });
    expect(reading?.partitions?.[2]).toMatchObject({
      uuid: "GPU-0000000000000011-xcp2",
      profile: "CPX",
      parent: "GPU-0000000000000011",
      memory: { totalBytes: 48 * GIB, usedBytes: GIB },
      nodes: ["dri/renderD130"],
    });
  });

  it("shares the card's memory out where each partition names the whole of it", () => {
    addAmd(sysfs, { ...cards[0], files: { current_compute_partition: "DPX" } });
    addKfd(
      sysfs,
      [0, 1].map((fn) => ({ node: fn + 1, ...cards[0], fn, render: 128 + fn, memoryBytes: 192 * GIB })),
    );

    expect(scan().readings[0]?.partitions).toMatchObject([
      { memory: { totalBytes: 96 * GIB } },
      { memory: { totalBytes: 96 * GIB } },
    ]);
  });

  it("has its place as its key where the card has no unique id", () => {
    addAmd(sysfs, { ...cards[0], uniqueId: 0n });
    addKfd(sysfs, [{ node: 1, ...cards[0], uniqueId: 0n }]);

    expect(scan().readings).toMatchObject([{ uuid: "AMD-0000:26:00.0", identity: "pci" }]);
  });

  it("is fenced where the compute driver does not show it", () => {
    addAmd(sysfs, cards[0]);

    expect(scan().readings[0]?.health?.reasons).toMatchObject([{ code: "compute-missing", fence: true }]);
  });
});

describe("Intel", () => {
  it.each([
    [
      "xe",
      {
        clocks: { coreMhz: 2850 },
        throttle: { reasons: [] },
        memory: { totalBytes: { unavailable: "not-supported" } },
      },
    ],
    [
      "i915",
      {
        clocks: { coreMhz: 600 },
        throttle: { reasons: ["power-cap"] },
        memory: { totalBytes: 16 * GIB, usedBytes: GIB },
      },
    ],
  ] as const)("is read from the files of %s", (driver, expected) => {
    addArc(sysfs, "0000:03:00.0", driver);

    expect(scan().readings).toMatchObject([
      {
        ...expected,
        temperature: { gpuCelsius: 44 },
        power: { energyMillijoules: 5000 },
        nodes: ["dri/card1", "dri/renderD128"],
      },
    ]);
  });
});
