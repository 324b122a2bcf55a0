/**
 * The real binding in its real worker, over a compiled library that plays the driver: what is read, and what one sick device
 * does to the others.
 */
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { systemClock } from "../../common/clock.ts";
import { DoomedChildren } from "../../executor/gpus/children/doomed.ts";
import { linuxGroups } from "../../executor/gpus/children/groups.ts";
import { NvmlSource } from "../../executor/gpus/nvidia/nvml/source.ts";
import type { NvmlEvent } from "../../executor/gpus/nvidia/nvml/words.ts";
import type { SourceReading } from "../../executor/gpus/source.ts";
import type { AcceleratorReading } from "../../protocol/accelerator.ts";
import { FakeDriver, type FakeGpu, fakeGpus, type FakeState, fakeUuid } from "../support/gpus/fake-driver.ts";

const MIB = 2 ** 20;
const never = new AbortController().signal;
let driver: FakeDriver;
let source: NvmlSource;

beforeEach(() => {
  driver = new FakeDriver();
  const clock = systemClock();
  const doomed = new DoomedChildren({ groups: linuxGroups(), clock });
  source = new NvmlSource({ libraries: [driver.library], env: driver.env }, { doomed, clock, random: Math.random });
});

afterEach(async () => {
  await source.close();
  driver.remove();
});

function withState(gpus: readonly FakeGpu[], at: number, state: FakeState): FakeGpu[] {
  return gpus.map((gpu, index) => (index === at ? { ...gpu, state } : gpu));
}

function faultsOf({ readings }: SourceReading): (readonly string[])[] {
  return readings.map(({ health }) => (health?.reasons ?? []).map(({ code }) => code));
}

describe("what the worker reads", () => {
  it.each([1, 8, 16])("is every one of %i devices, whole", async (count) => {
    driver.set(fakeGpus(count));
    const { state, readings } = await source.read("full", never);

    expect(state).toMatchObject({ name: "nvml", state: "ok" });
    expect(readings).toHaveLength(count);
    expect(readings[count - 1]).toMatchObject({
      uuid: fakeUuid(count),
      index: count - 1,
      model: "NVIDIA H100 80GB HBM3",
      pciId: "10de:2330",
      pciAddress: fakeGpus(count)[count - 1]?.address,
      serial: "1650000000001",
      driver: { version: "580.105.08", runtimeVersion: "13.0", firmware: "96.00.99.00.01" },
      memory: { totalBytes: 81_559 * MIB, usedBytes: 0, reservedBytes: 480 * MIB, freeBytes: 81_079 * MIB },
      utilisation: { gpuPercent: 0, memoryPercent: 0 },
      temperature: { gpuCelsius: 28 + count, marginCelsius: { unavailable: "not-supported" }, slowdownCelsius: 91 },
      fanPercent: { unavailable: "not-supported" },
      power: { drawWatts: 68.57, limitWatts: 700, defaultLimitWatts: 700, energyMillijoules: 123_456_789 },
      clocks: { coreMhz: 345, memoryMhz: 2619, maxCoreMhz: 1980 },
      performanceState: "P0",
      throttle: { reasons: ["idle"], hwThermalMicros: { unavailable: "not-supported" } },
      ecc: { enabled: true, pending: true, correctedVolatile: 2, uncorrectedVolatile: 0, correctedAggregate: 3 },
      rows: { remappedCorrectable: 1, pending: false, failed: false, banksWithoutSpare: 0 },
      pcie: { generation: 5, width: 16, maxGeneration: 5, maxWidth: 16, replays: 150 },
      fabricLinks: [],
      persistence: true,
      processes: [],
      partitioned: false,
      nodes: [`nvidia${count - 1}`],
    });
  });

  it("is links and their ends, fields, and more processes than there was room for at first", async () => {
    const links = Array.from({ length: 18 }, (_, index) => `link 0 ${index} 1 switch 00000000:c1:00.0`);
    const processes = Array.from({ length: 300 }, (_, index) => `process 0 ${1000 + index} 64`);
    driver.set(fakeGpus(1), [...links, ...processes, "field 0 82 37", "field 0 270 5000", "field 0 230 1"]);
    const [reading] = (await source.read("full", never)).readings;

    expect(reading?.fabricLinks).toHaveLength(18);
    expect(reading).toMatchObject({
      fabric: { state: "completed", health: "healthy" },
      temperature: { memoryCelsius: 37 },
      throttle: { hwThermalMicros: 5 },
      recoveryAction: "reset",
    });
    expect(reading?.processes).toHaveLength(300);
    expect(reading?.processes).toContainEqual({ pid: 1299, memoryBytes: 64 * MIB });
  });

  it("is MIG instances as units of their own, with parent, profile and slices", async () => {
    const parts = [0, 1, 2].map((index) => `mig 0 ${index} ${index + 7} 0 ${fakeUuid(index, "MIG")} 1 9984`);
    driver.set(fakeGpus(2), parts);
    const [cut, whole] = (await source.read("full", never)).readings;

    expect(whole?.partitioned).toBe(false);
    expect(cut).toMatchObject({ partitioned: true, utilisation: { gpuPercent: { unavailable: "not-supported" } } });
    expect(cut?.partitions).toHaveLength(3);
    expect(cut?.partitions?.[1]).toMatchObject({
      uuid: fakeUuid(1, "MIG"),
      parent: fakeUuid(1),
      profile: "1g.9gb",
      computeSlices: 1,
      gpuInstance: 8,
      memory: { totalBytes: 9984 * MIB },
    });
  });

  it("is an Xid as soon as it comes", async () => {
    const gpus = fakeGpus(8);
    driver.set(gpus);
    await source.read("full", never);
    const told = new Promise<NvmlEvent>((resolve) => source.onEvent(resolve));
    driver.set(gpus, ["event 1 5 8 79"]);

    expect(await told).toEqual({ uuid: fakeUuid(6), kind: "xid", data: 79 });
  });

  it("is nothing, with a reason, where there is no library", async () => {
    driver.remove();
    const { state, readings } = await source.read("full", never);

    expect(state).toMatchObject({ state: "absent", detail: expect.stringContaining("libnvidia-ml") });
    expect(readings).toEqual([]);
  });

  it("is a failure that says what is wrong where library and module are of different versions", async () => {
    driver.set(fakeGpus(1), ["init 18"]);

    expect((await source.read("full", never)).state).toMatchObject({
      state: "failed",
      detail: expect.stringContaining("different versions"),
    });
  });
});

describe("one sick device among eight", () => {
  const gpus = fakeGpus(8);
  const others = gpus.filter((_, index) => index !== 3).map(({ uuid }) => uuid);

  async function timed(): Promise<{ tookMs: number; reading: SourceReading }> {
    const begun = performance.now();
    const reading = await source.read("quick", never);
    return { tookMs: performance.now() - begun, reading };
  }

  function healthy({ readings }: SourceReading): string[] {
    return readings.filter(({ health }) => health?.reasons?.length === 0).map(({ uuid }) => uuid);
  }

  it.each(["hang", "hang-handle", "crash", "lost", "fail", "reset"] as const)(
    "demand 3: the other seven are read within a second when it is in state %s from the start",
    async (state) => {
      driver.set(withState(gpus, 3, state));
      await source.read("full", never);
      const { tookMs, reading } = await timed();

      expect(tookMs).toBeLessThan(1_000);
      expect(healthy(reading)).toEqual(expect.arrayContaining(others));
      if (state === "fail" || state === "reset") return;
      expect(healthy(reading)).not.toContain(fakeUuid(4));
      expect(reading.unlisted?.code).toBe(
        { hang: "probe-timeout", "hang-handle": "probe-timeout", crash: "driver-crash", lost: "lost" }[state],
      );
    },
  );

  it.each(["hang", "crash", "lost"] as const)(
    "demand 3: they are read within a second when it turns to %s later",
    async (state) => {
      driver.set(gpus);
      await source.read("full", never);
      driver.set(withState(gpus, 3, state));
      const { tookMs, reading } = await timed();

      expect(tookMs).toBeLessThan(1_500);
      expect(healthy(reading)).toEqual(expect.arrayContaining(others));
      const second = await timed();
      expect(second.tookMs).toBeLessThan(200);
      expect(healthy(second.reading)).toEqual(expect.arrayContaining(others));
    },
  );

  it("names it, with the reason, once it was known", async () => {
    driver.set(gpus);
    await source.read("full", never);
    driver.set(withState(gpus, 3, "crash"));
    const reading = await source.read("quick", never);

    expect(faultsOf(reading)[3]).toEqual(["driver-crash"]);
    expect(reading.readings[3]).toMatchObject({
      uuid: fakeUuid(4),
      pciAddress: gpus[3]?.address,
    } satisfies Partial<AcceleratorReading>);
  });

  it("is slow before it is hung: then nothing is held against it yet", async () => {
    driver.set(gpus);
    await source.read("full", never);
    driver.set(withState(gpus, 3, "hang"));
    const reading = await source.read("quick", never);

    expect(faultsOf(reading)[3]).toEqual(["probe-slow"]);
    expect(reading.readings[3]).toMatchObject({ memory: { totalBytes: 81_559 * MIB } });
  });

  it("never costs a second worker while it hangs", async () => {
    driver.set(withState(gpus, 3, "hang"));
    await source.read("full", never);
    const { workerPid } = source;
    for (let look = 0; look < 5; look += 1) await source.read("quick", never);

    expect(source.workerPid).toBe(workerPid);
  });
});

describe("a worker that hangs as a whole", () => {
  it("is killed, said to have timed out, and gone", async () => {
    driver.set(fakeGpus(2));
    await source.read("full", never);
    const { workerPid = 0 } = source;
    process.kill(workerPid, "SIGSTOP");
    const { state } = await source.read("full", never);

    expect(state).toMatchObject({ state: "probe-timeout" });
    expect(linuxGroups().isGone(workerPid)).toBe(true);
    expect((await source.read("full", never)).readings).toHaveLength(2);
  });
});
