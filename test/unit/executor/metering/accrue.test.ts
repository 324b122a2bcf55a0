/** From what is seen to what counts: each rule by an example; usage.property.test.ts tries them against each other. */
import { describe, expect, it } from "vitest";

import { accrue, type Observation, type Open } from "../../../../executor/metering/accrue.ts";
import type { MeterState } from "../../../../executor/metering/meter-state.ts";
import type { UsageEntry } from "../../../../protocol/usage.ts";
import { podId, T0 } from "../../../support/builders.ts";
import { TERMS } from "../../../support/metered-world.ts";

const RUNNING: MeterState = { terms: TERMS, phase: "running", runningSinceMs: T0 };

interface Look {
  readonly at: number;
  readonly state?: MeterState;
  /** How far the wall clock is off by then. */
  readonly jump?: number;
  readonly rx?: number;
  readonly close?: boolean;
  /** The executor was killed before, and knows what the file says. */
  readonly after?: "kill" | "reboot";
}

/** What `accrue` makes of these looks, as lines. */
function lines(...looks: readonly Look[]): string[] {
  let open: Open | undefined;
  let boot = 1;
  const entries: UsageEntry[] = [];
  for (const { at, state = RUNNING, jump = 0, rx, close = false, after } of looks) {
    if (after === "reboot") boot += 1;
    if (after !== undefined && open !== undefined) open = { ...open, doubtMs: undefined, gap: true };
    const seen: Observation = {
      podId: podId(1),
      at: { bootId: `boot-${boot}`, upMs: at, wallMs: T0 + at + jump },
      state,
      counters: rx === undefined ? undefined : { bridge: "lium0", rxBytes: rx, txBytes: rx * 2 },
      close,
    };
    const accrual = accrue(open, seen);
    entries.push(...accrual.entries);
    ({ open } = accrual);
  }
  return entries.map(({ kind, reason, ms, outBytes }) => {
    const traffic = outBytes === undefined ? "" : ` out ${outBytes}`;
    return `${kind} ${reason} ${ms}${traffic}`;
  });
}

const sick = (phase: "running" | "degraded", failedAt: number): MeterState => ({
  ...RUNNING,
  phase,
  failedAtMs: T0 + failedAt,
});
const exited = (fault: MeterState["fault"], endedAt: number): MeterState => ({
  terms: TERMS,
  phase: "exited",
  endedAtMs: T0 + endedAt,
  fault,
});

describe("demand 31: an interval of usage", () => {
  it("is unbilled from the first probe that failed, not from the one that made sure", () => {
    const found = lines(
      { at: 0 },
      { at: 10_000, state: sick("running", 10_000) },
      { at: 12_000, state: sick("running", 10_000), close: true },
      { at: 12_500, state: sick("degraded", 10_000) },
      { at: 20_000 },
      { at: 30_000, close: true },
    );

    expect(found).toEqual(["billed running 10000", "unbilled degraded 10000", "billed running 10000"]);
  });

  it("takes the first failure from the status where the lane told of it late", () => {
    expect(
      lines(
        { at: 0 },
        { at: 20_000, state: sick("degraded", 15_000) },
        { at: 21_000, close: true, state: sick("degraded", 15_000) },
      ),
    ).toEqual(["billed running 15000", "unbilled degraded 6000"]);
  });

  it("is billed through one probe that failed alone", () => {
    expect(
      lines({ at: 0 }, { at: 5_000, state: sick("running", 5_000) }, { at: 8_000 }, { at: 9_000, close: true }),
    ).toEqual(["billed running 9000"]);
  });

  it.each([
    ["renter", ["billed running 5000", "billed exited 4000"]],
    ["provider", ["billed running 5000", "unbilled our-fault 4000"]],
  ] as const)("goes by whose doing an exit was: %s", (fault, expected) => {
    const found = lines(
      { at: 0 },
      { at: 5_000, state: exited(undefined, 5_000) },
      { at: 6_000, state: exited(fault, 5_000) },
      { at: 9_000, state: exited(fault, 5_000), close: true },
    );

    expect(found).toEqual(expected);
  });

  it("is unbilled while the engine does not answer, in maintenance, before SSH is proven and when stopped", () => {
    const state = (over: Partial<MeterState>): MeterState => ({ ...RUNNING, ...over });
    const found = lines(
      { at: 0, state: { terms: TERMS, phase: "pulling" } },
      { at: 1_000, state: state({ phase: "starting" }) },
      { at: 2_000 },
      { at: 3_000, state: { terms: TERMS, phase: "unknown" } },
      { at: 4_000 },
      { at: 5_000, state: state({ maintenance: true }) },
      { at: 6_000 },
      { at: 7_000, state: state({ phase: "stopping" }) },
      { at: 8_000, state: { terms: TERMS, phase: "ending" } },
      { at: 9_000, state: { terms: TERMS, phase: "ended" } },
      { at: 10_000, state: { terms: TERMS, phase: "ended" }, close: true },
    );

    expect(found).toEqual([
      "unbilled starting 1000",
      "unbilled starting 1000",
      "billed running 1000",
      "unbilled engine-unknown 1000",
      "billed running 1000",
      "unbilled maintenance 1000",
      "billed running 1000",
      "unbilled stopped 1000",
      "unbilled ending 1000",
    ]);
  });

  it("goes on through a crash of the executor for a pod that ran through, whatever the clock did", () => {
    expect(lines({ at: 0 }, { at: 60_000, after: "kill", jump: 3_600_000 })).toEqual(["billed running 60000"]);
  });

  it.each([0, 3_600_000, -3_600_000])(
    "ends with a pod that ended while the executor was down, also over a jump of %i",
    (jump) => {
      const state = { ...exited("provider", 40_000 + jump), phase: "stopped" as const };

      expect(lines({ at: 0 }, { at: 60_000, after: "kill", jump, state })).toEqual([
        "billed running 40000",
        "unbilled unobserved 20000",
      ]);
    },
  );

  it("is unobserved where another process runs than before", () => {
    const state = { ...RUNNING, runningSinceMs: T0 + 50_000 };

    expect(lines({ at: 0 }, { at: 60_000, after: "kill", state }, { at: 61_000, state, close: true })).toEqual([
      "unbilled unobserved 60000",
      "billed running 1000",
    ]);
  });

  it("knows nothing of a time when the machine was off", () => {
    const [off, on] = [{ at: 60_000, close: true }, { at: 90_000, after: "reboot" } as const];

    expect(lines({ at: 0 }, off, on, { at: 91_000, close: true })).toEqual([
      "billed running 60000",
      "billed running 1000",
    ]);
  });

  it("counts the lease's end while the executor was down", () => {
    const state = { ...RUNNING, phase: "stopping" as const, endedAtMs: T0 + 30_000 };

    expect(lines({ at: 0 }, { at: 60_000, after: "kill", state })).toEqual([
      "billed running 30000",
      "unbilled unobserved 30000",
    ]);
  });

  it("has traffic by the difference of the counters, also when they began anew, and none before the first reading", () => {
    const found = lines(
      { at: 0, rx: 1_000 },
      { at: 1_000, rx: 1_500, close: true },
      { at: 2_000, rx: 200, close: true },
      { at: 3_000, close: true },
      { at: 4_000, rx: 300, close: true },
    );

    expect(found).toEqual([
      "billed running 1000 out 500",
      "billed running 1000 out 200",
      "billed running 1000",
      "billed running 1000 out 100",
    ]);
  });
});
