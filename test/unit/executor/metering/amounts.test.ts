/** What goes into the record and what comes out: sums, the kernel's counters, what a lane knows of its pod. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { meterStateOf } from "../../../../executor/metering/of-pod.ts";
import { Totals } from "../../../../executor/metering/totals.ts";
import { bytesBetween, readCounters } from "../../../../executor/metering/traffic.ts";
import type { UsageEntry } from "../../../../protocol/usage.ts";
import { podId, podRecord, seenContainer, T0, wantedPod } from "../../../support/builders.ts";
import { TERMS } from "../../../support/metered-world.ts";

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
