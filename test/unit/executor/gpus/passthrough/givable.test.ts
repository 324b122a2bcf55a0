/** What a host offers as it is set up, and why it does not offer the rest. */
import { describe, expect, it } from "vitest";

import { givable } from "../../../../../executor/gpus/passthrough/givable.ts";
import { isAtLeast, toolkitLack } from "../../../../../executor/gpus/passthrough/toolkit.ts";
import { amdGpu, cdiSetup, hostSetup, nvidiaGpu } from "../../../../support/gpus/giving.ts";

describe("givable", () => {
  const gpus = [nvidiaGpu(0), nvidiaGpu(1), amdGpu(0)];

  it("offers the vendors that are set up, and says once for each other what it lacks", () => {
    const { units, problems } = givable({ gpus }, cdiSetup(2));

    expect(units.map(({ uuid }) => uuid)).toEqual(["GPU-0", "GPU-1"]);
    expect(problems).toEqual([
      { code: "gpu-passthrough-missing", vendor: "amd", message: expect.stringMatching(/\/dev\/kfd/) },
    ]);
  });

  it("says once what keeps several devices from being given", () => {
    expect(givable({ gpus }, hostSetup([], { cdi: false })).problems.map(({ vendor }) => vendor)).toEqual([
      "nvidia",
      "amd",
    ]);
  });

  it("offers nothing real while the set-up is not known, and always what is made up", () => {
    const simulated = nvidiaGpu(7, { simulated: true });

    const { units, problems } = givable({ gpus: [...gpus, simulated] }, undefined);

    expect(units.map(({ uuid }) => uuid)).toEqual(["GPU-7"]);
    expect(problems).toHaveLength(2);
  });

  it("does not offer a device that is fenced", () => {
    const reasons = [{ code: "lost", message: "gone", fence: true }];
    const fenced = nvidiaGpu(0, { health: { state: "fenced", reasons } });

    expect(givable({ gpus: [fenced] }, cdiSetup(1))).toEqual({ units: [], problems: [] });
  });
});

describe("the toolkit's gate", () => {
  it.each(["1.16.1", "1.17.3", "1.17.7", "1.17.8-rc.1", "0.9", "unknown"])("holds version %s back", (version) => {
    expect(toolkitLack(version)).toMatch(/1\.17\.8 or newer/);
  });

  it.each(["1.17.8", "1.17.8-1", "1.17.9", "1.18.0", "2.0"])("lets version %s pass", (version) => {
    expect(toolkitLack(version)).toBeUndefined();
  });

  it("compares numbers, not texts", () => {
    expect(isAtLeast("29.10.0", "29.2")).toBe(true);
    expect(isAtLeast("29.2", "29.2.0")).toBe(true);
    expect(isAtLeast("29.1.9", "29.2")).toBe(false);
  });
});
