/** nvidia-smi's XML of every generation says the same in our words. */
import { createRequire } from "node:module";

import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { mergeReadings } from "../../../../../executor/gpus/merge.ts";
import { readLog } from "../../../../../executor/gpus/nvidia/xml/log.ts";
import { parseXml } from "../../../../../executor/gpus/nvidia/xml/parse.ts";
import type { AcceleratorReading } from "../../../../../protocol/accelerator.ts";
import { fakeUuid } from "../../../../support/gpus/fake-driver.ts";
import { type Dialect, type LoggedGpu, smiLog } from "../../../../support/gpus/smi-xml.ts";

const MIB = 2 ** 20;
const gpu: LoggedGpu = { address: "0000:53:00.0", number: 1 };

function readingsIn(xml: string): AcceleratorReading[] {
  return readLog(parseXml(xml))?.readings ?? [];
}

/** As node-nvidia-smi calls it, and in the version that it finds. */
function byXml2js(xml: string): unknown {
  const require = createRequire(createRequire(import.meta.url).resolve("node-nvidia-smi"));
  let found: unknown;
  const options = { explicitArray: false, trim: true };
  const parser = "xml2js";
  require(parser).parseString(xml, options, (error: unknown, data: unknown) => (found = error ?? data));
  return found;
}

describe("readLog", () => {
  it.each(["v10", "v11", "v12", "v13"] as const)("reads the dialect %s", (dialect: Dialect) => {
    const [reading] = readingsIn(smiLog([gpu], dialect));

    expect(reading).toMatchObject({
      uuid: fakeUuid(1),
      pciAddress: "0000:53:00.0",
      pciId: "10de:2330",
      driver: { version: "580.105.08", runtimeVersion: "13.0" },
      memory: { totalBytes: 81_559 * MIB, usedBytes: 1000 * MIB },
      utilisation: { gpuPercent: 37 },
      temperature: { gpuCelsius: 41, memoryCelsius: { unavailable: "not-supported" } },
      power: { drawWatts: 98.31, limitWatts: 650, defaultLimitWatts: 700 },
      throttle: { reasons: ["power-cap", "hw-thermal"] },
      ecc: { enabled: true, correctedVolatile: 5, uncorrectedVolatile: 1 },
      pcie: { generation: 5, width: 8, maxWidth: 16, replays: 4 },
      fabric: { state: "completed", health: "healthy" },
      fanPercent: { unavailable: "not-supported" },
      partitioned: false,
      processes: [],
      nodes: ["nvidia0"],
    });
    expect(reading?.recoveryAction).toEqual(
      dialect === "v12" || dialect === "v13" ? "none" : { unavailable: "not-read" },
    );
    const isNew = dialect === "v13";
    expect(reading?.rows?.pending).toEqual(isNew ? true : { unavailable: "not-supported" });
  });

  it("reads one device or several, one process or several", () => {
    const processes = [
      { pid: 7, memory: "512 MiB" },
      { pid: 8, memory: "N/A" },
    ];
    const two = readingsIn(
      smiLog([
        { ...gpu, processes },
        { address: "0000:54:00.0", number: 2, processes: processes.slice(0, 1) },
      ]),
    );

    expect(two.map(({ processes: all }) => all)).toEqual([
      [
        { pid: 7, memoryBytes: 512 * MIB },
        { pid: 8, memoryBytes: { unavailable: "not-supported" } },
      ],
      [{ pid: 7, memoryBytes: 512 * MIB }],
    ]);
  });

  it("reads MIG instances, and what their device cannot say then", () => {
    const mig = [
      { gi: 3, ci: 0, mib: 19_968 },
      { gi: 4, ci: 0, mib: 19_968 },
    ];
    const [reading] = readingsIn(smiLog([{ ...gpu, mig }]));

    expect(reading).toMatchObject({ partitioned: true, utilisation: { gpuPercent: { unavailable: "not-supported" } } });
    expect(reading?.partitions).toMatchObject([
      { gpuInstance: 3, memory: { totalBytes: 19_968 * MIB } },
      { gpuInstance: 4, computeInstance: 0, parent: fakeUuid(1) },
    ]);
  });

  it.each([
    ["GPU is lost", "lost"],
    ["Unknown Error", "error"],
  ])("keeps the place of a device of which everything is %s", (broken, reason) => {
    const [first, sick] = readingsIn(smiLog([gpu, { address: "0000:2a:00.0", number: 2, broken }], "v13", 3));

    expect(first?.uuid).toBe(fakeUuid(1));
    expect(sick).toMatchObject({
      uuid: "PCI-0000:2a:00.0",
      identity: "pci",
      temperature: { gpuCelsius: { unavailable: reason } },
    });
  });

  it.each([null, "", {}, { nvidia_smi_log: "" }, { nvidia_smi_log: ["a"] }])("is nothing for %o", (value) => {
    expect(readLog(value)).toBeUndefined();
  });

  it("gives readings that fit the schema, whatever the log holds", () => {
    fc.assert(
      fc.property(
        fc.object({ key: fc.constantFrom("uuid", "$", "id", "pci", "fb_memory_usage", "total", "processes", "pid") }),
        (broken) => {
          const log = readLog({ nvidia_smi_log: { gpu: [{ $: { id: "0000:53:00.0" }, ...broken }] } });

          for (const reading of log?.readings ?? []) expect(() => mergeReadings([reading])).not.toThrow();
        },
      ),
    );
  });
});

describe("parseXml", () => {
  it.each(["v10", "v13"] as const)("gives what node-nvidia-smi's parser gives, for %s", (dialect) => {
    const xml = smiLog(
      [
        { ...gpu, processes: [{ pid: 1, memory: "1 MiB" }] },
        { ...gpu, number: 2, broken: "GPU is lost" },
      ],
      dialect,
    );

    expect(JSON.parse(JSON.stringify(parseXml(xml)))).toEqual(JSON.parse(JSON.stringify(byXml2js(xml))));
  });

  it.each(["<a>", "<a></b>", "</a>", "<a>".repeat(50) + "</a>".repeat(50)])("refuses %s", (xml) => {
    expect(() => parseXml(xml)).toThrow(expect.objectContaining({ code: "command-failed" }));
  });

  it("takes no name for more than a name", () => {
    parseXml("<__proto__><polluted>yes</polluted></__proto__>");

    expect(Reflect.get({}, "polluted")).toBeUndefined();
  });
});
