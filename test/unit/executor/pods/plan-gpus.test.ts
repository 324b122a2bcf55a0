/** A pod counts as running only once this very start was seen to have its GPUs. */
import { describe, expect, it } from "vitest";

import { nextStep } from "../../../../executor/pods/plan.ts";
import { phaseOf } from "../../../../executor/pods/state.ts";
import { podRecord, seenContainer, SSH_KEY, T0 } from "../../../support/builders.ts";

const PACE = { probeEveryMs: 20_000, restart: { firstDelayMs: 5_000, maxDelayMs: 300_000 } };
const STILL = { sinceProbeMs: 0, sinceExitMs: 0, pace: PACE };

describe("a pod with GPUs", () => {
  it("is never running before this very start was seen to have its GPUs", () => {
    const seen = { container: seenContainer(), image: undefined, keys: [SSH_KEY], hostKey: undefined };
    const ssh = { startedAtMs: T0 + 1_000, state: "ready" as const };
    const phase = (seenStartMs: number | undefined): string => {
      const given = { nodes: ["/dev/nvidia0"], ...(seenStartMs === undefined ? {} : { seenStartMs }) };
      const record = podRecord({ lastStart: { run: 1, startedAtMs: T0 + 1_000 }, given });
      return phaseOf({ record, seen, ssh, nowMs: T0 });
    };

    expect(phase(undefined)).toBe("starting");
    expect(phase(T0 + 999)).toBe("starting");
    expect(phase(T0 + 1_000)).toBe("running");
  });

  it("a GPU that was missing is looked for again at the pace of the probes", () => {
    const container = seenContainer();
    const startedAtMs = container.startedAtMs ?? 0;
    const lack = { startedAtMs, sinceMs: T0, message: "gone" };
    const record = podRecord({
      lastStart: { run: 1, startedAtMs },
      given: { nodes: ["/dev/nvidia0"], lack },
    });
    const seen = { container, image: undefined, keys: [SSH_KEY], hostKey: undefined };
    const ssh = { startedAtMs, state: "ready" as const };
    const input = { ...STILL, record, seen, ssh, nowMs: T0 };

    expect(nextStep(input)).toBeUndefined();
    expect(nextStep({ ...input, sinceProbeMs: 20_000 })).toBe("see-gpus");
    expect(phaseOf(input)).toBe("degraded");
  });
});
