/** One picture from many sources: the bus decides what is there, vendors what it is; nothing vanishes from it unseen. */
import { describe, expect, it } from "vitest";

import { changesBetween } from "../../../../executor/gpus/changes.ts";
import { compose, type Looks } from "../../../../executor/gpus/compose.ts";
import { nothingRead, type SourceReading } from "../../../../executor/gpus/source.ts";
import type { SysfsReading } from "../../../../executor/gpus/sysfs/source.ts";
import {
  Accelerator,
  type AcceleratorReading,
  Accelerators,
  type SourceState,
} from "../../../../protocol/accelerator.ts";
import { fakeUuid } from "../../../support/gpus/fake-driver.ts";

const AT = "2026-01-01T00:00:00.000Z";
const GIB = 2 ** 30;
const ADDRESS = "0000:53:00.0";

function reading(more: Partial<AcceleratorReading> = {}): AcceleratorReading {
  return {
    uuid: fakeUuid(1),
    vendor: "nvidia",
    pciAddress: ADDRESS,
    model: "H100",
    memory: { totalBytes: GIB },
    sources: ["nvml"],
    ...more,
  };
}

function onBus(more: Partial<AcceleratorReading> = {}): Accelerator {
  const place = typeof more.pciAddress === "string" ? more.pciAddress : ADDRESS;
  return Accelerator.parse({
    uuid: `PCI-${place}`,
    identity: "pci",
    vendor: "nvidia",
    pciAddress: ADDRESS,
    sources: ["sysfs"],
    ...more,
  });
}

function sysfs(readings: readonly Accelerator[], more: Partial<SysfsReading> = {}): SysfsReading {
  return {
    ...nothingRead({ name: "sysfs", state: "ok" }),
    readings,
    nvidiaModule: undefined,
    nvidiaLibrary: undefined,
    ...more,
  };
}

function nvml(readings: readonly AcceleratorReading[], state: SourceState["state"] = "ok"): SourceReading {
  return { ...nothingRead({ name: "nvml", state, ...(state === "ok" ? {} : { detail: "So it said." }) }), readings };
}

function picture(looks: Partial<Looks>): Accelerators {
  return compose({
    at: AT,
    sysfs: sysfs([onBus()]),
    nvidia: nvml([reading()]),
    supplements: [],
    last: undefined,
    ...looks,
  });
}

function codes({ gpus }: Accelerators): string[][] {
  return gpus.map(({ health }) => health.reasons.map(({ code }) => code));
}

describe("compose", () => {
  it("joins what the bus and the vendor say of one place, under the vendor's UUID", () => {
    const { gpus, sources } = picture({});

    expect(gpus).toMatchObject([
      {
        uuid: fakeUuid(1),
        identity: "vendor",
        model: "H100",
        sources: ["nvml", "sysfs"],
        health: { state: "healthy" },
      },
    ]);
    expect(sources.map(({ name }) => name)).toEqual(["nvml", "sysfs"]);
  });

  it("gives a picture that fits the schema", () => {
    const now = picture({});

    expect(Accelerators.parse(now)).toEqual(now);
  });

  it("keeps the UUID that the kernel module knows where the vendor's source knows only the place", () => {
    const procfs = onBus({ uuid: fakeUuid(1), identity: "vendor" });
    const lost = reading({ uuid: `PCI-${ADDRESS}`, identity: "pci", memory: { totalBytes: { unavailable: "lost" } } });
    const { gpus } = picture({ sysfs: sysfs([procfs]), nvidia: nvml([lost]) });

    expect(gpus).toMatchObject([
      {
        uuid: fakeUuid(1),
        health: { reasons: [{ code: "lost" }] },
        utilisation: { gpuPercent: { unavailable: "lost" } },
      },
    ]);
  });

  it.each([
    ["ok", "lost"],
    ["absent", "library-missing"],
    ["failed", "driver-failed"],
    ["probe-timeout", "probe-timeout"],
  ] as const)("fences a device that a source in state %s does not speak of as %s", (state, code) => {
    expect(codes(picture({ nvidia: nvml([], state) }))).toEqual([[code]]);
  });

  it("gives the bus's own reason before that of silence", () => {
    const reasons = [{ code: "driver-missing", message: "None is bound.", fence: true }];

    expect(codes(picture({ sysfs: sysfs([onBus({ health: { reasons } })]), nvidia: nvml([], "absent") }))).toEqual([
      ["driver-missing"],
    ]);
  });

  it.each([
    ["reset-required", "reset-required", "fenced"],
    ["error", "failing", "fenced"],
    ["not-read", "memory-unknown", "suspect"],
  ] as const)("takes a device whose memory is %s as %s", (unavailable, code, state) => {
    const { gpus } = picture({ nvidia: nvml([reading({ memory: { totalBytes: { unavailable } } })]) });

    expect(gpus[0]?.health).toMatchObject({ state, reasons: [{ code }] });
  });

  it("fences all of NVIDIA's, and nobody else's, while library and module differ", () => {
    const amd = onBus({
      uuid: "GPU-00000000000000ab",
      vendor: "amd",
      pciAddress: "0000:26:00.0",
      memory: { totalBytes: GIB },
    });
    const files = sysfs([onBus(), amd], { nvidiaModule: "580.1", nvidiaLibrary: "595.2" });

    expect(codes(picture({ sysfs: files }))).toEqual([[], ["driver-mismatch"]]);
  });

  it("fences AMD's and Intel's while their files cannot be read, and not NVIDIA's, which speak for themselves", () => {
    const arc = onBus({
      uuid: "INTEL-0000:03:00.0",
      vendor: "intel",
      pciAddress: "0000:03:00.0",
      memory: { totalBytes: GIB },
    });
    const unlisted = { code: "probe-timeout", message: "It hangs.", fence: true };

    expect(codes(picture({ sysfs: sysfs([onBus(), arc], { unlisted }) }))).toEqual([[], ["probe-timeout"]]);
  });

  it("keeps what is gone, fenced as missing, and gives nothing of it as known but who it is", () => {
    const last = picture({});
    const { gpus } = picture({ sysfs: sysfs([]), nvidia: undefined, last });

    expect(gpus).toMatchObject([
      {
        uuid: fakeUuid(1),
        model: "H100",
        health: { state: "fenced", reasons: [{ code: "missing" }] },
        memory: { totalBytes: { unavailable: "lost" } },
      },
    ]);
    expect(
      picture({ sysfs: sysfs([]), nvidia: undefined, last: picture({ sysfs: sysfs([]), nvidia: undefined, last }) })
        .gpus,
    ).toHaveLength(1);
  });

  it("takes a device that gets its UUID later, or shows it no more, for the same", () => {
    const nameless = picture({ nvidia: nvml([], "absent") });
    const named = picture({ last: nameless });

    expect(named.gpus.map(({ uuid }) => uuid)).toEqual([fakeUuid(1)]);
    expect(picture({ nvidia: nvml([], "absent"), last: named }).gpus).toHaveLength(1);
  });

  it("takes another card in the same place for another", () => {
    const other = reading({ uuid: fakeUuid(2) });
    const now = picture({ nvidia: nvml([other]), last: picture({}) });

    expect(codes(now)).toEqual([["missing"], []]);
  });

  it("fences two devices that say they are the same", () => {
    const there = "0000:54:00.0";
    const files = sysfs([onBus(), onBus({ uuid: `PCI-${there}`, pciAddress: there })]);
    const twins = [reading(), reading({ pciAddress: there })];
    const { gpus } = picture({ sysfs: files, nvidia: nvml(twins) });

    expect(new Set(gpus.map(({ uuid }) => uuid)).size).toBe(gpus.length);
    expect(gpus.every(({ health }) => health.state === "fenced")).toBe(true);
  });
});

describe("pairs", () => {
  const there = "0000:54:00.0";
  const places = [
    { address: ADDRESS, path: "/sys/devices/pci0000:50/0000:50:01.0/0000:53:00.0", numaNode: 0 },
    { address: there, path: "/sys/devices/pci0000:60/0000:60:01.0/0000:54:00.0", numaNode: 1 },
  ];
  const link = (index: number, remote: "gpu" | "switch", remotePciAddress: string, active = true) =>
    ({ index, kind: "nvlink", active, remote, remotePciAddress, errors: 0 }) as const;

  function pairWith(a: AcceleratorReading["fabricLinks"], b: AcceleratorReading["fabricLinks"]): unknown {
    const files = sysfs([onBus(), onBus({ uuid: `PCI-${there}`, pciAddress: there })], { places });
    const both = [reading({ fabricLinks: a }), reading({ uuid: fakeUuid(2), pciAddress: there, fabricLinks: b })];
    return picture({ sysfs: files, nvidia: nvml(both) }).pairs[0];
  }

  it("count direct links, and the fewer where the two do not agree", () => {
    const one = [link(0, "gpu", there), link(1, "gpu", there), link(2, "gpu", there, false)];

    expect(pairWith(one, [link(0, "gpu", ADDRESS)])).toEqual({
      a: fakeUuid(1),
      b: fakeUuid(2),
      path: "system",
      nvlinks: 1,
      overSwitch: false,
      xgmiWeight: { unavailable: "not-read" },
    });
  });

  it("count the links to switches where both have some", () => {
    const links = [link(0, "switch", "0000:c1:00.0"), link(1, "switch", "0000:c2:00.0")];

    expect(pairWith(links, links)).toMatchObject({ nvlinks: 2, overSwitch: true });
    expect(pairWith(links, [])).toMatchObject({ nvlinks: 0, overSwitch: false });
  });

  it("do not know of links where one of the two cannot be asked", () => {
    expect(pairWith([], { unavailable: "timeout" })).toMatchObject({ nvlinks: { unavailable: "timeout" } });
  });
});

describe("changesBetween", () => {
  it("tells nothing of two pictures that are alike", () => {
    expect(changesBetween(picture({}), picture({ at: "2026-01-02T00:00:00.000Z" }))).toEqual([]);
  });

  it("tells a driver that changed, a place that changed and parts that changed", () => {
    const version = (text: string) => nvml([reading({ driver: { version: text } })]);
    const moved = sysfs([onBus({ pciAddress: "0000:99:00.0" })]);
    const partition = { uuid: fakeUuid(1, "MIG"), kind: "mig", parent: fakeUuid(1), index: 0 } as const;

    expect(changesBetween(picture({ nvidia: version("1") }), picture({ nvidia: version("2") }))).toMatchObject([
      { kind: "driver-changed" },
    ]);
    expect(
      changesBetween(picture({}), picture({ sysfs: moved, nvidia: nvml([reading({ pciAddress: "0000:99:00.0" })]) })),
    ).toMatchObject([{ kind: "moved", message: "It moved from 0000:53:00.0 to 0000:99:00.0." }]);
    expect(
      changesBetween(picture({}), picture({ nvidia: nvml([reading({ partitioned: true, partitions: [partition] })]) })),
    ).toMatchObject([{ kind: "partitioned" }]);
  });
});
