/** What drivers answer becomes a code: a library that is played, for the answers that no real one gives on demand. */
import { describe, expect, it } from "vitest";

import type { OpenClArgument } from "../../../../executor/challenges/opencl/functions.ts";
import { SOURCE } from "../../../../executor/challenges/opencl/kernels.ts";
import { check } from "../../../../executor/challenges/opencl/library.ts";
import { Session } from "../../../../executor/challenges/opencl/session.ts";
import { played, playedDevice as device } from "../../../support/challenges/played-opencl.ts";

describe("a session", () => {
  it("whose kernels do not build says build-failed, with the end of the compiler's log", async () => {
    const session = new Session(
      played({ clBuildProgram: () => -11, clGetProgramBuildInfo: (args) => write(args[4], "error: no such thing") }),
      device,
    );

    await expect(session.build()).rejects.toMatchObject({
      code: "build-failed",
      message: expect.stringContaining("error: no such thing"),
    });
  });

  it("asks for no more memory than the device has, and can use again what it gave back", () => {
    const released: unknown[] = [];
    const session = new Session(played({ clReleaseMemObject: ([handle]) => (released.push(handle), 0) }), device);
    const held = session.allocate(800);

    expect(() => session.allocate(201)).toThrow(expect.objectContaining({ code: "out-of-memory" }));
    session.release(held);
    session.allocate(900);
    session.releaseAll();
    session.releaseAll();
    expect(released).toHaveLength(2);
  });

  it("whose driver fails in the work says which call, and with what", async () => {
    const session = new Session(played({ clFinish: () => -36 }), device);

    await expect(session.settle()).rejects.toMatchObject({ code: "device-failed", message: "clFinish gave -36." });
  });

  it("hears of memory that a driver only missed when it was used", async () => {
    const session = new Session(played({ clEnqueueNDRangeKernel: () => -4 }), device);
    await session.build();

    expect(() => session.launch("fill", { args: [], global: [1] })).toThrow(
      expect.objectContaining({ code: "out-of-memory" }),
    );
  });

  it("hands numbers over as 32 bits, memory as its handle, and sums up each kernel's time", async () => {
    const set: Buffer[] = [];
    const session = new Session(
      played({
        clSetKernelArg: ([, , , value]) => (set.push(Buffer.from(value as Buffer)), 0),
        clGetEventProfilingInfo: (args) => (
          (args[3] as Buffer).writeBigUInt64LE(args[1] === 0x1282 ? 1_000_000n : 3_500_000n),
          0
        ),
      }),
      device,
    );
    await session.build();
    const memory = session.allocate(8);

    session.launch("fill", { args: [memory, 2 ** 32 - 1], global: [1] });
    session.launch("fill", { args: [memory, 7], global: [1] });
    await session.settle();

    expect(set.map((value) => value.length)).toEqual([8, 4, 8, 4]);
    expect(set[1]?.readUInt32LE()).toBe(2 ** 32 - 1);
    expect(session.takeTimes()).toEqual({ fill: 5 });
    expect(session.takeTimes()).toEqual({});
  });
});

describe("a status", () => {
  it.each([
    [-4, "out-of-memory"],
    [-6, "out-of-memory"],
    [-61, "out-of-memory"],
    [-5, "device-failed"],
    [-54, "device-failed"],
  ])("of %i is %s", (status, code) => {
    expect(() => check("clSomething", status)).toThrow(expect.objectContaining({ code }));
  });

  it("of 0 is none", () => {
    expect(() => check("clSomething", 0)).not.toThrow();
  });
});

describe("the kernels", () => {
  it("use whole numbers alone", () => {
    expect(SOURCE).not.toMatch(/\b(float|double|half|native_)/);
  });
});

function write(room: OpenClArgument | undefined, text: string): number {
  (room as Buffer).write(text);
  return 0;
}
