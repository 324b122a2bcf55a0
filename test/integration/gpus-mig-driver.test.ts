/** nvidia-smi is told by UUID and argument lists how to cut a GPU, and given up where it hangs. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { systemClock } from "../../common/clock.ts";
import { DoomedChildren } from "../../executor/gpus/children/doomed.ts";
import { linuxGroups } from "../../executor/gpus/children/groups.ts";
import { type MigDriver, smiMigDriver } from "../../executor/gpus/mig/driver.ts";
import { gridOfModel } from "../../executor/gpus/mig/grid.ts";
import { GpuUuid } from "../../protocol/ids.ts";
import { FakeMigSmi } from "../support/gpus/fake-mig-smi.ts";
import { FakeSmi } from "../support/gpus/fake-smi.ts";

const A = GpuUuid.parse("GPU-aaaaaaaa");
const B = GpuUuid.parse("GPU-bbbbbbbb");
const { signal } = new AbortController();

function driverOf(file: string, timeoutMs = 5000): MigDriver {
  return smiMigDriver({ file, timeoutMs }, new DoomedChildren({ groups: linuxGroups(), clock: systemClock() }));
}

describe("the driver behind nvidia-smi", () => {
  let smi: FakeMigSmi;
  beforeEach(() => {
    smi = new FakeMigSmi({ [A]: { mode: "Enabled" }, [B]: {} });
  });
  afterEach(() => smi.remove());

  it("reads the same grid as the table has", async () => {
    const { grid } = await driverOf(smi.file).read(A, signal);
    const table = gridOfModel("NVIDIA H100 80GB HBM3", 80 * 2 ** 30);

    expect(grid).toEqual(table);
  });

  it("reads a GPU without instances, and one whose mode is off", async () => {
    expect(await driverOf(smi.file).read(A, signal)).toMatchObject({ mode: "on", present: [] });
    expect(await driverOf(smi.file).read(B, signal)).toEqual({ mode: "off", grid: undefined, present: [] });
  });

  it("turns on, cuts and takes away on the GPU that is named alone", async () => {
    const driver = driverOf(smi.file);
    await driver.enable(B, signal);
    await driver.create(
      B,
      [
        { profile: "3g.40gb", start: 4 },
        { profile: "1g.10gb", start: 3 },
      ],
      signal,
    );

    const { present } = await driver.read(B, signal);
    await driver.destroy(B, [1], signal);

    expect(present.map(({ profile, start }) => `${profile}:${start}`)).toEqual(["3g.40gb:4", "1g.10gb:3"]);
    expect([smi.instancesOf(A), smi.instancesOf(B)]).toEqual([[], ["1g.10gb:3"]]);
    expect(smi.changes).toEqual([
      `-i ${B} -mig 1`,
      `mig -i ${B} -cgi 3g.40gb:4,1g.10gb:3 -C`,
      `mig -i ${B} -dci -gi 1`,
      `mig -i ${B} -dgi -gi 1`,
    ]);
  });

  it("says what the tool said where it fails", async () => {
    const wanted = [{ profile: "4g.40gb", start: 4 }];

    await expect(driverOf(smi.file).create(A, wanted, signal)).rejects.toMatchObject({
      code: "gpu-not-cut",
      message: expect.stringContaining("Insufficient Resources"),
    });
  });

  it("gives up a tool that hangs", async () => {
    const hanging = new FakeSmi();
    hanging.hang();

    try {
      await expect(driverOf(hanging.file, 300).read(A, signal)).rejects.toMatchObject({
        code: "gpu-not-cut",
        message: expect.stringContaining("300 ms"),
      });
      expect(hanging.alive).toEqual([]);
    } finally {
      hanging.remove();
    }
  });
});
