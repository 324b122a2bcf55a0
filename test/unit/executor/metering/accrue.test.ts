/** From what is seen to what counts: each rule by an example; usage.property.test.ts tries them against each other. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { accrue, type Observation, type Open } from "../../../../executor/metering/accrue.ts";
import type { MeterState } from "../../../../executor/metering/meter-state.ts";
import { meterStateOf } from "../../../../executor/metering/of-pod.ts";
import { Totals } from "../../../../executor/metering/totals.ts";
import { bytesBetween, readCounters } from "../../../../executor/metering/traffic.ts";
import type { UsageEntry } from "../../../../protocol/usage.ts";
import { podId, podRecord, seenContainer, T0, wantedPod } from "../../../support/builders.ts";
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

describe("usage", () => {
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

describe("totals", () => {
  const entry = (over: Partial<UsageEntry>): UsageEntry => ({
    v: 1,
    podId: podId(1),
    kind: "billed",
    reason: "running",
    atMs: T0 + 1_500,
    ms: 1_500,
    ...TERMS,
    gpus: [...TERMS.gpus],
    ...over,
  });

  it("are rounded down once, not entry by entry, and hold more than a number can", () => {
    const totals = new Totals();
    const terabyte = 1e12;
    const quarterMs = 90 * 86_400_000;
    totals.add(entry({ inBytes: 7, outBytes: 9 }));
    totals.add(entry({ atMs: T0 + 3_000 }));
    totals.add(
      entry({ kind: "unbilled", reason: "degraded", atMs: T0 + quarterMs, ms: quarterMs, diskBytes: terabyte }),
    );

    expect(totals.list()).toMatchObject([
      {
        podId: podId(1),
        from: new Date(T0).toISOString(),
        billed: {
          seconds: 3,
          gpuSeconds: 6,
          gpuSecondsByUuid: { "GPU-1aaa": 3 },
          cpuSeconds: 6,
          inBytes: 7,
          outBytes: 9,
        },
        unbilled: { seconds: 7_776_000, diskByteSeconds: "7776000000000000000" },
        secondsByReason: { running: 3, degraded: 7_776_000 },
      },
    ]);
  });
});

describe("counters of a bridge", () => {
  it("are read by its name, and are absent where there is none", () => {
    const root = mkdtempSync(join(tmpdir(), "lium-net-"));
    mkdirSync(join(root, "lium0", "statistics"), { recursive: true });
    writeFileSync(join(root, "lium0", "statistics", "rx_bytes"), "12\n");
    writeFileSync(join(root, "lium0", "statistics", "tx_bytes"), "34\n");

    expect(readCounters("lium0", root)).toEqual({ bridge: "lium0", rxBytes: 12, txBytes: 34 });
    expect(readCounters("lium1", root)).toBeUndefined();
    expect(readCounters("../lium0", root)).toBeUndefined();
    rmSync(root, { recursive: true });
  });

  it("say nothing of another bridge", () => {
    const before = { bridge: "lium0", rxBytes: 5, txBytes: 5 };

    expect(bytesBetween(before, { ...before, bridge: "lium1" })).toBeUndefined();
    expect(bytesBetween(before, { ...before, rxBytes: 8 })).toEqual({ inBytes: 0, outBytes: 3 });
  });
});

describe("what a lane knows", () => {
  const record = podRecord({ network: { name: "n", subnet: "10.213.0.0/29", bridge: "lium0" } });
  const seen = { container: seenContainer(), image: undefined, keys: undefined, hostKey: undefined };

  it("is told in the meter's words", () => {
    const status = { phase: "running" as const };

    expect(meterStateOf({ record, seen, ssh: undefined, status })).toMatchObject({
      phase: "running",
      runningSinceMs: T0 + 1_000,
      bridge: "lium0",
      terms: { cpus: wantedPod().spec.cpus },
    });
  });

  it("has the first failed probe also while the pod still counts as running", () => {
    const ssh = { startedAtMs: T0 + 1_000, state: "ready" as const, failedAtMs: T0 + 5_000 };

    expect(meterStateOf({ record, seen, ssh, status: { phase: "running" } }).failedAtMs).toBe(T0 + 5_000);
  });

  it("has whose doing an exit was only once it was looked into", () => {
    const container = seenContainer({ state: "exited", finishedAtMs: T0 + 9_000, exitCode: 3 });
    const lastExit = {
      finishedAtMs: T0 + 9_000,
      run: 1,
      tries: 1,
      cause: "exit code 3",
      fault: "renter" as const,
      log: [],
    };
    const status = { phase: "exited" as const };

    expect(meterStateOf({ record, seen: { ...seen, container }, ssh: undefined, status }).fault).toBeUndefined();
    expect(
      meterStateOf({ record: { ...record, lastExit }, seen: { ...seen, container }, ssh: undefined, status }),
    ).toMatchObject({ fault: "renter", endedAtMs: T0 + 9_000, runningSinceMs: undefined });
  });
});
