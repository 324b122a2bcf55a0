/** What a host offers is what it has less the reserve, and of the disk only what is free. */
import { statfsSync } from "node:fs";
import { cpus, totalmem } from "node:os";

import { describe, expect, it } from "vitest";

import { readMachineFacts, rentableOf } from "../../../../executor/host/facts.ts";

const GIB = 2 ** 30;

describe("readMachineFacts", () => {
  it("agrees with what the system says of this machine", async () => {
    const { facts, freeDiskBytes } = await readMachineFacts("/");
    const { blocks, bavail, bsize } = statfsSync("/");

    expect(facts.total).toEqual({ cpus: cpus().length, memoryBytes: totalmem(), diskBytes: blocks * bsize });
    expect(Math.abs(freeDiskBytes - bavail * bsize)).toBeLessThan(GIB);
  });
});

describe("rentableOf", () => {
  it("never goes below zero, and rents out no disk that others fill", async () => {
    const { facts } = await readMachineFacts("/");
    const total = { cpus: 4, memoryBytes: 8 * GIB, diskBytes: 100 * GIB };
    const machine = { facts: { ...facts, total }, freeDiskBytes: 30 * GIB };

    expect(rentableOf(machine, { cpus: 1, memoryBytes: GIB, diskBytes: 10 * GIB })).toEqual({
      cpus: 3,
      memoryBytes: 7 * GIB,
      diskBytes: 20 * GIB,
    });
    expect(rentableOf(machine, { cpus: 9, memoryBytes: 9 * GIB, diskBytes: 90 * GIB })).toEqual({
      cpus: 0,
      memoryBytes: 0,
      diskBytes: 0,
    });
  });
});
