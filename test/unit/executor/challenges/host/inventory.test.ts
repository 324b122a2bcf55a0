/** A host tells of each fact what two sources say, and where they differ or one is silent, why. */
import { describe, expect, it } from "vitest";

import {
  type InventoryInput,
  inventoryOf,
  type KernelWord,
} from "../../../../../executor/challenges/host/inventory.ts";
import type { OpenClDevice } from "../../../../../executor/challenges/opencl/devices.ts";
import type { Accelerator, AcceleratorReading } from "../../../../../protocol/accelerator.ts";
import { InventoryResult, type SourcedFact } from "../../../../../protocol/challenge/host-messages.ts";
import { GIB, hostFacts } from "../../../../support/agent-builders.ts";
import { playedDevice } from "../../../../support/challenges/played-opencl.ts";
import { accelerator, toldUuid } from "../../../../support/gpus/told.ts";

const PLACE = "0000:17:00.0";
const OTHER_PLACE = "0000:65:00.0";
const TOTAL = { cpus: 16, memoryBytes: 100e9, diskBytes: 1000e9 };

const KERNEL: KernelWord = {
  cpus: TOTAL.cpus,
  memoryBytes: TOTAL.memoryBytes,
  diskBytes: TOTAL.diskBytes,
  release: "6.1",
  freeDiskBytes: 400e9,
  hasTun: true,
  pciAddresses: [OTHER_PLACE, PLACE],
};

/** The GPU that most of the tests are about. */
function real(over: Partial<AcceleratorReading> = {}): Accelerator {
  return accelerator(1, { pciAddress: PLACE, driver: { version: "610.1" }, ...over });
}

function device(over: Partial<OpenClDevice> = {}): OpenClDevice {
  return { ...playedDevice, memoryBytes: 80 * GIB, pciAddress: PLACE, ...over };
}

/** What a host says of itself, which the schema must take. */
function inventory(over: Partial<InventoryInput> = {}): InventoryResult {
  const input: InventoryInput = {
    facts: hostFacts({ total: TOTAL }),
    runtimes: ["runc", "sysbox-runc"],
    gpus: [real()],
    rented: new Set(),
    kernel: KERNEL,
    openCl: [device()],
    ranges: [{ internal: 40_000, external: 50_000, count: 100 }],
    nvml: undefined,
    ...over,
  };
  return InventoryResult.parse(inventoryOf(input));
}

function factOf(name: string, over: Partial<InventoryInput> = {}): SourcedFact | undefined {
  return inventory(over).facts.find((fact) => fact.name === name);
}

describe("a host whose sources agree", () => {
  it("says six facts of itself and its GPU, each from two sources, and no why", () => {
    const { facts } = inventory();

    expect(facts.map(({ name }) => name)).toEqual([
      "cpus",
      "memory",
      "disk",
      "kernel",
      `gpu ${toldUuid(1)} place`,
      `gpu ${toldUuid(1)} memory`,
    ]);
    expect(facts.filter(({ agree, said, why }) => agree && said.length === 2 && why === undefined)).toEqual(facts);
    expect(facts.filter(({ said }) => said[0]?.source === said[1]?.source)).toEqual([]);
  });

  it("tells its ports as the world sees them, the 64 first ranges of them", () => {
    const ranges = Array.from({ length: 65 }, (_, n) => ({ internal: 10_000 + n, external: 20_000 + n, count: 1 }));

    expect(inventory().ports).toEqual([{ first: 50_000, count: 100 }]);
    expect(inventory({ ranges }).ports).toEqual(
      ranges.slice(0, 64).map(({ external }) => ({ first: external, count: 1 })),
    );
  });

  it("names the driver's library only where there is one", () => {
    const nvml = { version: "610.1", md5: "0".repeat(32), sha256: "0".repeat(64) };

    expect(inventory({ nvml }).nvml).toEqual(nvml);
    expect(inventory()).not.toHaveProperty("nvml");
  });
});

describe("two sources of a machine's size", () => {
  it.each([
    ["memory", "memoryBytes"],
    ["disk", "diskBytes"],
  ] as const)("agree on the %s within 4 % of the larger, and not beyond", (name, field) => {
    const agreed = (bytes: number): SourcedFact | undefined =>
      factOf(name, { kernel: { ...KERNEL, [field]: bytes * (TOTAL[field] / 100e9) } });

    expect([96e9, 100e9, 104e9].map((bytes) => agreed(bytes)?.agree)).toEqual([true, true, true]);
    expect([96e9 - 1, 104.2e9].map((bytes) => agreed(bytes)?.agree)).toEqual([false, false]);
    expect(agreed(50e9)).toEqual({
      name,
      said: [
        { source: "systeminformation", value: String(TOTAL[field]) },
        { source: "the kernel", value: String(TOTAL[field] / 2) },
      ],
      agree: false,
      why: "They differ by more than 4 %.",
    });
  });

  it("agree on the number of CPUs to the last one", () => {
    expect(factOf("cpus", { kernel: { ...KERNEL, cpus: 15 } })).toMatchObject({ agree: false });
  });

  it("agree on the kernel when they give it the same name", () => {
    expect(factOf("kernel", { kernel: { ...KERNEL, release: "6.1.1" } })).toEqual({
      name: "kernel",
      said: [
        { source: "systeminformation", value: "6.1" },
        { source: "the kernel", value: "6.1.1" },
      ],
      agree: false,
      why: "One of the two is not this machine's kernel.",
    });
  });
});

describe("a GPU's place", () => {
  const name = `gpu ${toldUuid(1)} place`;

  it("that sysfs does not have is told by the driver and denied by sysfs", () => {
    expect(factOf(name, { kernel: { ...KERNEL, pciAddresses: [OTHER_PLACE] } })).toEqual({
      name,
      said: [
        { source: "nvidia driver", value: PLACE },
        { source: "sysfs", value: "not there" },
      ],
      agree: false,
      why: "The kernel has no accelerator at this place.",
    });
  });

  it("has one source, and says why, where sysfs cannot be read or the driver does not tell it", () => {
    expect(factOf(name, { kernel: { ...KERNEL, pciAddresses: undefined } })).toEqual({
      name,
      said: [{ source: "nvidia driver", value: PLACE }],
      agree: false,
      why: "The kernel's devices cannot be read.",
    });
    expect(factOf(name, { gpus: [real({ pciAddress: { unavailable: "lost" } })] })).toEqual({
      name,
      said: [{ source: "nvidia driver", value: "unknown" }],
      agree: false,
      why: "Its place on the bus cannot be read.",
    });
  });
});

describe("a GPU's memory", () => {
  const name = `gpu ${toldUuid(1)} memory`;
  const told = [{ source: "nvidia driver", value: String(80 * GIB) }];

  it("is the same by OpenCL within 4 %, and not beyond", () => {
    const agreed = (share: number): boolean | undefined =>
      factOf(name, { openCl: [device({ memoryBytes: Math.round(share * 80 * GIB) })] })?.agree;

    expect([0.961, 1, 1.04].map(agreed)).toEqual([true, true, true]);
    expect([0.959, 1.042].map(agreed)).toEqual([false, false]);
  });

  it("is compared with that of the device at its own place", () => {
    const openCl = [device({ memoryBytes: GIB, pciAddress: OTHER_PLACE }), device()];

    expect(factOf(name, { openCl })).toMatchObject({ agree: true });
  });

  it("has one source where OpenCL is missing, with what OpenCL says of that", () => {
    expect(factOf(name, { openCl: { missing: "no platform of it is installed" } })).toEqual({
      name,
      said: told,
      agree: false,
      why: "no platform of it is installed",
    });
    expect(factOf(name, { openCl: { missing: "x".repeat(1000) } })?.why).toBe("x".repeat(300));
  });

  it("that the driver cannot read is unknown, not nothing, and differs from no other", () => {
    expect(factOf(name, { gpus: [real({ memory: { totalBytes: { unavailable: "timeout" } } })] })).toEqual({
      name,
      said: [{ source: "nvidia driver", value: "unknown" }],
      agree: false,
      why: "Its memory cannot be read.",
    });
  });

  it("has one source where OpenCL shows nothing at its place, or has no places, or where its own is not known", () => {
    const { pciAddress: _, ...placeless } = device();
    const lost = real({ pciAddress: { unavailable: "lost" } });
    const alone = { name, said: told, agree: false, why: "OpenCL shows no device at its place." };

    expect(factOf(name, { openCl: [device({ pciAddress: OTHER_PLACE })] })).toEqual(alone);
    expect(factOf(name, { openCl: [placeless] })).toEqual(alone);
    expect(factOf(name, { openCl: [placeless], gpus: [lost] })).toEqual(alone);
  });
});

describe("a simulated GPU", () => {
  it("says that it is made up, and nothing that a driver would say", () => {
    const { facts, gpus } = inventory({ gpus: [real({ simulated: true })] });

    expect(facts.filter(({ name }) => name.startsWith("gpu"))).toEqual([
      {
        name: `gpu ${toldUuid(1)}`,
        said: [{ source: "simulation", value: "NVIDIA H100 80GB HBM3" }],
        agree: false,
        why: "It is made up, for development.",
      },
    ]);
    expect(gpus).toMatchObject([{ simulated: true }]);
  });
});

describe("the GPUs of a host", () => {
  const partition = { uuid: toldUuid(7), kind: "mig", parent: toldUuid(1), index: 0 } as const;

  it("are told with all that is known of them", () => {
    expect(inventory().gpus).toEqual([
      {
        uuid: toldUuid(1),
        vendor: "nvidia",
        model: "NVIDIA H100 80GB HBM3",
        memoryBytes: 80 * GIB,
        pciAddress: PLACE,
        driver: "610.1",
        utilisation: 57,
        simulated: false,
        rented: false,
      },
    ]);
  });

  it("leave out what cannot be read", () => {
    const unavailable = { unavailable: "timeout" } as const;
    const unread = { pciAddress: unavailable, driver: {}, utilisation: { gpuPercent: unavailable } };
    const [gpu] = inventory({ gpus: [real({ ...unread, model: unavailable })] }).gpus;

    expect(gpu).toEqual({
      uuid: toldUuid(1),
      vendor: "nvidia",
      model: "unknown",
      memoryBytes: 80 * GIB,
      simulated: false,
      rented: false,
    });
  });

  it("keep a use of nothing, which is no unknown use", () => {
    expect(inventory({ gpus: [real({ utilisation: { gpuPercent: 0 } })] }).gpus).toMatchObject([{ utilisation: 0 }]);
  });

  it("are rented by whoever has one of them, or a part of one, and the others are not", () => {
    const gpus = [real({ partitions: [partition] }), accelerator(2)];
    const rentedBy = (n: number): boolean[] =>
      inventory({ gpus, rented: new Set([toldUuid(n)]) }).gpus.map(({ rented }) => rented);

    expect(rentedBy(1)).toEqual([true, false]);
    expect(rentedBy(7)).toEqual([true, false]);
    expect(rentedBy(2)).toEqual([false, true]);
    expect(rentedBy(9)).toEqual([false, false]);
  });
});
