/** What a pod's goal and phase are, by what was promised and what is seen. */
import { describe, expect, it } from "vitest";

import { goalOf, phaseOf, type SshHealth } from "../../../../executor/pods/state.ts";
import { podRecord, podSpec, seenContainer, SSH_KEY, T0, wantedPod } from "../../../support/builders.ts";

describe("a lease", () => {
  const lease = { expiresAt: new Date(T0 + 1_000).toISOString(), graceSeconds: 10 };
  const record = podRecord({ wanted: wantedPod({ spec: podSpec({ lease }) }) });

  it.each([
    ["before its end, the pod runs", 999, "running"],
    ["at its end, the pod is stopped", 1_000, "stopped"],
    ["until the grace is over", 10_999, "stopped"],
    ["after the grace, the pod is ended", 11_000, "ended"],
  ])("%s", (_claim, afterMs, goal) => {
    expect(goalOf(record, T0 + afterMs)).toBe(goal);
  });
});

describe("phaseOf", () => {
  it("is unknown while the engine does not answer, whatever was before", () => {
    expect(phaseOf({ record: podRecord(), seen: undefined, ssh: undefined, nowMs: T0 })).toBe("unknown");
  });

  it("is running only when this very start of the main process has answered over SSH", () => {
    const record = podRecord({ lastStart: { run: 1, startedAtMs: T0 + 1_000 } });
    const seen = { container: seenContainer(), image: undefined, keys: [SSH_KEY], hostKey: undefined };
    const phase = (startedAtMs: number, state: SshHealth["state"]): string =>
      phaseOf({ record, seen, ssh: { startedAtMs, state }, nowMs: T0 });

    expect(phase(T0 + 1_000, "ready")).toBe("running");
    expect(phase(T0 + 1_000, "assumed")).toBe("running");
    expect(phase(T0 + 1_000, "lost")).toBe("degraded");
    expect(phase(T0 + 999, "ready")).toBe("starting");
  });
});
