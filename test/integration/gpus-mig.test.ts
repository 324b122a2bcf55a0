/** GPUs are cut as wanted and cut the same way after a boot; one that is used, held or fenced is left alone until it is not. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { systemClock } from "../../common/clock.ts";
import { DoomedChildren } from "../../executor/gpus/children/doomed.ts";
import { linuxGroups } from "../../executor/gpus/children/groups.ts";
import { mergeReadings } from "../../executor/gpus/merge.ts";
import { smiMigDriver } from "../../executor/gpus/mig/driver.ts";
import { MigKeeper, type MigParts, startMig } from "../../executor/gpus/mig/keeper.ts";
import type { AcceleratorReading, Accelerators } from "../../protocol/accelerator.ts";
import { GpuUuid } from "../../protocol/ids.ts";
import { FakeMigSmi } from "../support/gpus/fake-mig-smi.ts";
import { loggerToMemory } from "../support/memory-log.ts";

const A = GpuUuid.parse("GPU-aaaaaaaa");
const B = GpuUuid.parse("GPU-bbbbbbbb");
const { signal } = new AbortController();

let smi: FakeMigSmi;
let gpus: AcceleratorReading[];
let held: GpuUuid[];
let looks: number;

function gpu(uuid: GpuUuid, more: Partial<AcceleratorReading> = {}): AcceleratorReading {
  const memory = { totalBytes: 80 * 2 ** 30 };
  return { uuid, vendor: "nvidia", model: "NVIDIA H100 80GB HBM3", memory, processes: [], ...more };
}

function parts(): MigParts {
  return {
    driver: smiMigDriver({ file: smi.file }, new DoomedChildren({ groups: linuxGroups(), clock: systemClock() })),
    snapshot: (): Accelerators => ({
      at: new Date(0).toISOString(),
      gpus: gpus.map((one) => mergeReadings([one])),
      pairs: [],
      sources: [],
    }),
    look: async () => {
      looks += 1;
    },
    alone: async (units, work) => (units.some((unit) => held.includes(unit)) ? undefined : work()),
    log: loggerToMemory().log,
  };
}

function keeper(...wanted: string[]): MigKeeper {
  return new MigKeeper({ wanted: new Map([[A, wanted]]), file: join(smi.folder, "mig.json") }, parts());
}

beforeEach(() => {
  smi = new FakeMigSmi({ [A]: {}, [B]: { mode: "Enabled", instances: [{ id: 1, profile: "7g.80gb", start: 0 }] } });
  gpus = [gpu(A), gpu(B)];
  held = [];
  looks = 0;
});
afterEach(() => smi.remove());

describe("keeping GPUs cut", () => {
  it("turns MIG on, cuts the GPU that is named, and looks at it anew", async () => {
    const one = keeper("3g.40gb", "1g.10gb");

    await one.keep(signal);

    expect(one.outcomes().get(A)).toMatchObject({ state: "as-wanted" });
    expect(smi.instancesOf(A)).toEqual(["1g.10gb:3", "3g.40gb:4"]);
    expect(smi.instancesOf(B)).toEqual(["7g.80gb:0"]);
    expect(looks).toBe(1);
  });

  it("cuts it in the same places after a boot, also where it would choose others", async () => {
    const file = join(smi.folder, "mig.json");
    const devices = {
      [A]: [
        { profile: "1g.10gb", start: 0 },
        { profile: "3g.40gb", start: 4 },
      ],
    };
    writeFileSync(file, JSON.stringify({ version: 1, devices }));
    await keeper("3g.40gb", "1g.10gb").keep(signal);
    const before = smi.instancesOf(A);
    smi.reboot();
    expect(smi.instancesOf(A)).toEqual([]);

    await keeper("3g.40gb", "1g.10gb").keep(signal);

    expect(before).toEqual(["1g.10gb:0", "3g.40gb:4"]);
    expect(smi.instancesOf(A)).toEqual(before);
  });

  it("cuts it anew where what was remembered is damaged or of another geometry", async () => {
    writeFileSync(join(smi.folder, "mig.json"), "{ not JSON");
    await keeper("3g.40gb").keep(signal);
    await keeper("7g.80gb").keep(signal);

    expect(smi.instancesOf(A)).toEqual(["7g.80gb:0"]);
  });

  it("asks nothing of the driver while the last look found it as wanted", async () => {
    const one = keeper("3g.40gb");
    await one.keep(signal);
    const part = { uuid: GpuUuid.parse("MIG-1"), kind: "mig" as const, parent: A, index: 0, profile: "3g.40gb" };
    gpus = [gpu(A, { partitioned: true, partitions: [part] })];
    smi.forgetCommands();

    await one.keep(signal);

    expect(smi.commands).toBe(0);
    expect(one.outcomes().get(A)).toMatchObject({ state: "as-wanted" });
  });

  it.each<[string, () => void, RegExp]>([
    ["a program runs on it", () => (gpus = [gpu(A, { processes: [{ pid: 42 }] })]), /process 42/],
    [
      "nobody can say what runs on it",
      () => (gpus = [gpu(A, { processes: { unavailable: "timeout" } })]),
      /cannot be seen/,
    ],
    ["a pod holds it", () => (held = [A]), /pod holds/],
    [
      "a pod holds a part of it",
      () => {
        const part = { uuid: GpuUuid.parse("MIG-1"), kind: "mig" as const, parent: A, index: 0 };
        gpus = [gpu(A, { partitions: [part] })];
        held = [part.uuid];
      },
      /pod holds/,
    ],
    [
      "it is fenced",
      () => (gpus = [gpu(A, { health: { reasons: [{ code: "lost", message: "It is lost.", fence: true }] } })]),
      /fenced/,
    ],
    ["it is not there", () => (gpus = []), /no such GPU/],
  ])("changes nothing while %s, and does so afterwards", async (_, happens, why) => {
    const one = keeper("3g.40gb");
    happens();

    await one.keep(signal);

    expect(one.outcomes().get(A)).toEqual({ state: "waiting", why: expect.stringMatching(why) });
    expect(smi.changes).toEqual([]);
    gpus = [gpu(A)];
    held = [];
    await one.keep(signal);
    expect(smi.instancesOf(A)).toEqual(["3g.40gb:4"]);
  });

  it("waits for a reset where the mode needs one, and cuts after it", async () => {
    smi.remove();
    smi = new FakeMigSmi({ [A]: { needsReset: true } });
    const one = keeper("3g.40gb");

    await one.keep(signal);

    expect(one.outcomes().get(A)).toMatchObject({ state: "waiting", why: expect.stringContaining("reset") });
    smi.reboot();
    await one.keep(signal);
    expect(smi.instancesOf(A)).toEqual(["3g.40gb:4"]);
  });

  it("says what is impossible, and leaves the GPU whole", async () => {
    const one = keeper("4g.40gb", "4g.40gb");

    await one.keep(signal);

    expect(one.outcomes().get(A)).toMatchObject({ state: "failed", why: expect.stringContaining("do not fit") });
    expect(smi.changes).toEqual([]);
  });
});

describe("the start", () => {
  async function started(wanted: ReadonlyMap<GpuUuid, string[]>): Promise<MigKeeper> {
    const closers: (() => Promise<void> | void)[] = [];
    const life = { add: (_: string, close: () => Promise<void> | void) => void closers.push(close) };
    const one = await startMig(
      { wanted, file: join(smi.folder, "mig.json") },
      { ...parts(), clock: systemClock(), life },
    );
    for (const close of closers) await close();
    return one;
  }

  it("is over when every GPU was tried, and a GPU that fails holds up no other", async () => {
    const wanted = new Map([
      [A, ["9g.99gb"]],
      [B, ["4g.40gb", "3g.40gb"]],
    ]);

    const one = await started(wanted);

    expect(one.outcomes().get(A)).toMatchObject({ state: "failed" });
    expect(smi.instancesOf(B)).toEqual(["3g.40gb:4", "4g.40gb:0"]);
  });

  it("runs nothing where no GPU is to be cut", async () => {
    await started(new Map());

    expect(smi.commands).toBe(0);
  });
});
