/** Fences come down by a test alone, or by an operator; what was tried in vain is tried by stronger means. */
import { describe, expect, it } from "vitest";

import {
  afterBoot,
  afterFailure,
  afterReset,
  afterTest,
  raised,
  withStates,
} from "../../../../../executor/gpus/health/fences.ts";
import type { GpuFence } from "../../../../../protocol/gpu-incident.ts";
import { GpuUuid } from "../../../../../protocol/ids.ts";

const GPU = GpuUuid.parse("GPU-1");
const OTHER = GpuUuid.parse("GPU-2");
const WHEN = { nowMs: Date.UTC(2026, 0, 1), bootId: "boot-1" };
const XID_48 = {
  gpu: GPU,
  code: "xid-48",
  message: "A double bit error.",
  cure: "reset",
  breaks: true,
  incident: "i1",
} as const;
const LOST = { code: "lost", message: "It is lost.", fence: true };
const PENDING = { code: "rows-pending", message: "Rows wait.", fence: true };

function cures(fences: readonly GpuFence[]): string[] {
  return fences.map(({ code, cure }) => `${code} ${cure}`);
}

describe("a fence", () => {
  it("of an incident stands until it was reset and passed a test", () => {
    const fenced = raised([], XID_48, WHEN);
    const reset = afterReset(fenced, GPU);

    expect(cures(afterTest(fenced, GPU))).toEqual(["xid-48 reset"]);
    expect(cures(reset)).toEqual(["xid-48 validate"]);
    expect(afterTest(reset, GPU)).toEqual([]);
    expect(afterTest(reset, OTHER)).toEqual(reset);
  });

  it("is put up once for a burst, and again with its cure for a later one", () => {
    const fenced = raised([], XID_48, WHEN);
    const healing = afterReset(fenced, GPU);

    expect(raised(fenced, XID_48, WHEN)).toBe(fenced);
    expect(cures(raised(healing, XID_48, WHEN))).toEqual(["xid-48 validate"]);
    expect(cures(raised(healing, { ...XID_48, incident: "i2" }, WHEN))).toEqual(["xid-48 reset"]);
  });

  it("of a state stands while the state does, and then waits for a test", () => {
    const lost = withStates([], GPU, [LOST], WHEN);
    const again = withStates(lost, GPU, [LOST], WHEN);
    const back = withStates(again, GPU, [], WHEN);

    expect(cures(lost)).toEqual(["lost reboot"]);
    expect(again).toBe(lost);
    expect(cures(back)).toEqual(["lost validate"]);
    expect(cures(withStates(back, GPU, [LOST], WHEN))).toEqual(["lost reboot"]);
    expect(withStates(lost, OTHER, [], WHEN)).toBe(lost);
  });

  it("is not put up by a word of caution, nor by a code that clears with the driver", () => {
    const states = [
      { code: "too-hot", message: "x", fence: false },
      { code: "driver-mismatch", message: "x", fence: true },
    ];

    expect(withStates([], GPU, states, WHEN)).toEqual([]);
  });

  it("waits for a test after a boot, where a reset or a boot was what it needed", () => {
    const fences = [...raised([], XID_48, WHEN), ...withStates([], OTHER, [{ ...PENDING, code: "rows-failed" }], WHEN)];

    expect(afterBoot(fences, "boot-1")).toEqual(fences);
    expect(cures(afterBoot(fences, "boot-2"))).toEqual(["xid-48 validate", "rows-failed operator"]);
  });

  it("needs stronger means after each try in vain, and at last an operator", () => {
    let fences = withStates(withStates([], GPU, [PENDING], WHEN), GPU, [], WHEN);
    const seen: string[] = [];
    for (let vain = 0; vain < 4; vain += 1) {
      fences = afterFailure(fences, GPU, "The test failed.");
      seen.push(fences[0]?.cure ?? "gone");
    }

    expect(seen).toEqual(["reset", "reboot", "operator", "operator"]);
    expect(fences[0]).toMatchObject({ tries: 3, last: "The test failed." });
  });

  it("keeps what was learned in vain when its state comes back", () => {
    const over = withStates(withStates([], GPU, [PENDING], WHEN), GPU, [], WHEN);
    const vain = afterFailure(afterFailure(over, GPU, "x"), GPU, "x");
    const back = withStates(withStates(vain, GPU, [], WHEN), GPU, [PENDING], WHEN);

    expect(cures(back)).toEqual(["rows-pending reboot"]);
  });
});
