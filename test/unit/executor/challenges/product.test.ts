/** The pieces and launches that a product is made in: all of it, once, and none too large for the device. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import type { OpenClArgument } from "../../../../executor/challenges/opencl/functions.ts";
import { KERNELS } from "../../../../executor/challenges/opencl/kernels.ts";
import { Session } from "../../../../executor/challenges/opencl/session.ts";
import { Product } from "../../../../executor/challenges/product.ts";
import { factors } from "../../../../protocol/challenge/seeds.ts";
import { type Shape, TILE } from "../../../../protocol/challenge/task.ts";
import { played, playedDevice } from "../../../support/challenges/played-opencl.ts";

const tiles = fc.integer({ min: 1, max: 300 }).map((count) => count * TILE);
const shapes = fc.record({ rows: tiles, inner: tiles, columns: tiles });
const GIB = 2 ** 30;

interface Launched {
  readonly kernel: string;
  readonly words: readonly number[];
  readonly global: readonly number[];
}

describe("a product", () => {
  it("is multiplied in launches that cover every row of it as often as there are pieces of depth", async () => {
    await fc.assert(
      fc.asyncProperty(shapes, fc.boolean(), async (shape, keepFactors) => {
        const { launched, session, allocated } = await watched();
        const maxAllocationBytes = GIB;
        await new Product(session, { shape, keepFactors, maxAllocationBytes }).make(factors(Buffer.alloc(32)));

        const multiplied = launched.filter(({ kernel }) => kernel === "multiply");
        const work = multiplied.map(({ words, global }) => (words[4] ?? 0) * ((global[1] ?? 0) / 16) * TILE);
        expect(work.reduce((sum, part) => sum + part, 0)).toBe(shape.inner * shape.rows);
        expect(Math.max(...allocated)).toBeLessThanOrEqual(maxAllocationBytes);
      }),
      { numRuns: 30 },
    );
  });

  it("and rows of it that are made anew begin with nothing, whatever lies in fresh memory", async () => {
    const shape: Shape = { rows: 1024, inner: 1536, columns: 128 };
    const { launched, session } = await watched();
    const product = new Product(session, { shape, keepFactors: false, maxAllocationBytes: GIB });
    const added = (): unknown[] =>
      launched.splice(0).flatMap(({ kernel, words }) => (kernel === "multiply" ? [words[6]] : []));

    await product.make(factors(Buffer.alloc(32)));
    expect(added()).toEqual([0, 1, 1]);
    await product.rowsMadeAnew(factors(Buffer.alloc(32)), [1, 2, 3]);
    expect(added()).toEqual([0, 1, 1]);
  });

  it("is walked over in launches that go on where the one before stopped", async () => {
    const shape: Shape = { rows: 1024, inner: 128, columns: 128 };
    const { launched, session } = await watched();
    const product = new Product(session, { shape, keepFactors: false, maxAllocationBytes: GIB });
    await product.walk({ walkers: 2 ** 20, steps: 1_000, key: { a: 1, b: 2 } });

    const spans = launched.filter(({ kernel }) => kernel === "walk").map(({ words }) => words.slice(11, 13));
    expect(spans).toEqual([
      [0, 256],
      [256, 512],
      [512, 768],
      [768, 1000],
    ]);
  });
});

/** A session that remembers what was launched and how much was allocated at a time. */
async function watched() {
  const launched: Launched[] = [];
  const allocated: number[] = [];
  const words: number[] = [];
  const kernels = new Map<OpenClArgument, string>();
  const opencl = played({
    clSetKernelArg: ([, index, , value]) => ((words[Number(index)] = (value as Buffer).readUInt32LE()), 0),
    clEnqueueNDRangeKernel: ([, kernel, dimensions, , global]) => {
      const sizes = Array.from({ length: Number(dimensions) }, (_, index) =>
        Number((global as Buffer).readBigUInt64LE(8 * index)),
      );
      launched.push({ kernel: kernels.get(kernel!) ?? "", words: [...words], global: sizes });
      return 0;
    },
  });
  const watchedOpencl: typeof opencl = {
    ...opencl,
    make: (name, ...args) => {
      const handle = opencl.make(name, ...args);
      if (name === "clCreateKernel") kernels.set(handle, KERNELS[kernels.size] ?? "");
      if (name === "clCreateBuffer") allocated.push(Number(args[2]));
      return handle;
    },
  };
  const session = new Session(watchedOpencl, { ...playedDevice, memoryBytes: 2 ** 40 });
  await session.build();
  return { launched, allocated, session };
}
