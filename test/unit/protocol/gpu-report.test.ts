/** Reports of accelerators lead from one state to the next, or to a request for everything; never to a state that was not. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import type { Accelerator, AcceleratorReading, GpuPairReading } from "../../../protocol/accelerator.ts";
import { GpuPair } from "../../../protocol/accelerator.ts";
import {
  applyGpuDiff,
  gpuDiff,
  type GpuHolder,
  GpuReport,
  type GpuState,
  gpuStateOf,
  type HeldGpus,
  MAX_DEVICES,
  NO_GPUS,
  takeGpuReport,
} from "../../../protocol/gpu-report.ts";
import { MAX_FRAME_BYTES } from "../../../protocol/link.ts";
import { podId } from "../../support/builders.ts";
import { accelerator, READ_AT, toldUuid } from "../../support/gpus/told.ts";

const device = fc.record({ n: fc.nat(7), celsius: fc.nat(90), fenced: fc.boolean() });
const state: fc.Arbitrary<GpuState> = fc
  .record({
    devices: fc.uniqueArray(device, { selector: ({ n }) => n, maxLength: 8 }),
    nvlinks: fc.nat(18),
    pods: fc.uniqueArray(fc.record({ n: fc.nat(7), pod: fc.integer({ min: 1, max: 3 }) }), { selector: ({ n }) => n }),
    failing: fc.boolean(),
    second: fc.nat(59),
  })
  .map(({ devices, nvlinks, pods, failing, second }) =>
    gpuStateOf(
      {
        at: new Date(Date.parse(READ_AT) + second * 1000).toISOString(),
        gpus: devices.map(deviceOf),
        pairs: pairsOf(
          devices.map(({ n }) => n),
          nvlinks,
        ),
        sources: [{ name: "nvml", state: failing ? "failed" : "ok", tookMs: second }],
      },
      pods.map(({ n, pod }): GpuHolder => ({ uuid: toldUuid(n), podId: podId(pod) })),
    ),
  );

function deviceOf({ n, celsius, fenced }: { n: number; celsius: number; fenced: boolean }): Accelerator {
  const reasons = fenced ? [{ code: "lost", message: "It is lost.", fence: true }] : [];
  const health: AcceleratorReading["health"] = { state: fenced ? "fenced" : "healthy", reasons };
  return accelerator(n, { temperature: { gpuCelsius: celsius }, health });
}

function pairsOf(numbers: readonly number[], nvlinks: number): GpuPair[] {
  const sorted = numbers.map(toldUuid).toSorted();
  const pairs: GpuPairReading[] = sorted.flatMap((a, at) => sorted.slice(at + 1).map((b) => ({ a, b, nvlinks })));
  return pairs.map((pair) => GpuPair.parse(pair));
}

/** What an executor sends of these states, one after the other. */
function reportsOf(states: readonly GpuState[]): GpuReport[] {
  return states.map((now, index) => ({
    ...gpuDiff(states[index - 1] ?? NO_GPUS, now),
    cursor: `run-${index}`,
    ...(index === 0 ? {} : { after: `run-${index - 1}` }),
  }));
}

describe("a difference", () => {
  it("leads from any state to any other", () => {
    fc.assert(
      fc.property(state, state, (from, to) => {
        expect(applyGpuDiff(from, gpuDiff(from, to))).toEqual(to);
      }),
    );
  });

  it("of two states that are the same names nothing", () => {
    fc.assert(
      fc.property(state, (same) => {
        expect(gpuDiff(same, structuredClone(same))).toEqual({ at: same.at, gpus: [], removed: [] });
      }),
    );
  });

  it("survives the wire", () => {
    fc.assert(
      fc.property(state, state, (from, to) => {
        const report = { ...gpuDiff(from, to), cursor: "b", after: "a" };
        expect(GpuReport.parse(JSON.parse(JSON.stringify(report)))).toEqual(report);
      }),
    );
  });
});

describe("reports that are lost, repeated or out of order", () => {
  it("lead to a state that the host was in, or to a request for everything", () => {
    const order = fc.array(fc.nat(5), { maxLength: 12 });
    fc.assert(
      fc.property(fc.array(state, { minLength: 6, maxLength: 6 }), order, (states, arriving) => {
        const reports = reportsOf(states);
        let held: HeldGpus | undefined;
        for (const index of arriving) {
          const taken = takeGpuReport(held, reports[index]!);
          const fits = index === 0 || held?.cursor === `run-${index - 1}`;
          expect(taken === undefined).toBe(!fits);
          held = taken ?? held;
          expect(held?.state).toEqual(held && states[Number(held.cursor.slice("run-".length))]);
        }
      }),
    );
  });

  it("of another run of the executor do not fit, whatever their number", () => {
    const held = { cursor: "a-1", state: NO_GPUS };
    const report = { ...gpuDiff(NO_GPUS, NO_GPUS), cursor: "b-2", after: "b-1" };

    expect(takeGpuReport(held, report)).toBeUndefined();
  });
});

describe("a state", () => {
  it("fits a frame however much there is to tell", () => {
    const detail = "x".repeat(300);
    const unread = { unavailable: "error" as const, detail };
    const many = Array.from({ length: 200 }, (_, index) => index);
    const worst = (n: number): Accelerator =>
      accelerator(n, {
        serial: unread,
        health: { reasons: many.map((one) => ({ code: `code-${one}`, message: "x".repeat(400), fence: true })) },
        processes: many.map((pid) => ({ pid: pid + 1, memoryBytes: unread })),
        fabricLinks: many.map((index) => ({ index, kind: "nvlink", active: true, remote: unread, errors: unread })),
        nodes: many.map(() => "x".repeat(200)),
        sources: many.map(() => "x".repeat(200)),
        partitions: many.map((index) => ({
          uuid: toldUuid(1_000 + index),
          kind: "mig",
          parent: toldUuid(n),
          index,
          profile: unread,
          computeSlices: unread,
          memorySlices: unread,
          gpuInstance: unread,
          computeInstance: unread,
          memory: { totalBytes: unread, usedBytes: unread, freeBytes: unread, reservedBytes: unread },
          nodes: many.map(() => "x".repeat(200)),
        })),
      });
    const numbers = many.slice(0, 64);
    const holders = Array.from({ length: 5_000 }, (_, index) => ({ uuid: toldUuid(index), podId: podId(1) }));
    const told = gpuStateOf(
      {
        at: READ_AT,
        gpus: numbers.map(worst),
        pairs: pairsOf(numbers, 18),
        sources: many.map((one) => ({ name: `source-${one}`, state: "failed", detail: "x".repeat(400) })),
      },
      holders,
    );
    const report = { ...gpuDiff(NO_GPUS, told), cursor: "a" };

    expect(told.gpus).toHaveLength(MAX_DEVICES);
    expect(GpuReport.safeParse(report).success).toBe(true);
    expect(JSON.stringify({ type: "gpus", report }).length).toBeLessThan(MAX_FRAME_BYTES);
  });
});
