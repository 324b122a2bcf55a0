/** Work on GPUs is done only where nobody can have them. */
import { describe, expect, it } from "vitest";

import { createKeyedLock } from "../../../../common/keyed-lock.ts";
import { ADMISSION } from "../../../../executor/pods/admission.ts";
import { alone } from "../../../../executor/pods/alone.ts";
import { knownPods } from "../../../../executor/pods/known.ts";
import { GpuUuid } from "../../../../protocol/ids.ts";
import { podRecord, T0, wantedPod } from "../../../support/builders.ts";

const [HELD, FREE] = [GpuUuid.parse("GPU-1"), GpuUuid.parse("GPU-2")];
const HOLDER = podRecord({ wanted: wantedPod({ gpus: [HELD] }) });
const PARTS = {
  admissions: createKeyedLock(),
  known: () => knownPods([HOLDER], new Set()),
  blocked: () => new Map<GpuUuid, string>(),
  signal: AbortSignal.timeout(10_000),
};

describe("work on GPUs that nobody may have meanwhile", () => {
  it("is done where nobody has them, and no pod is admitted beside it", async () => {
    const busy = await alone([FREE], async () => PARTS.admissions.isBusy(ADMISSION), PARTS);

    expect(busy).toBe(true);
    expect(PARTS.admissions.isBusy(ADMISSION)).toBe(false);
  });

  it.each([
    ["a pod has one of them", {}],
    [
      "a stranger's container has one of them",
      { known: () => knownPods([], new Set()), blocked: () => new Map([[HELD, "x"]]) },
    ],
    ["it is not known yet which pods there are", { known: () => undefined }],
    ["the record of a pod is damaged", { known: () => knownPods([], new Set(["pod"])) }],
  ])("is not done where %s", async (_what, over) => {
    const done = await alone([FREE, HELD], async () => "done", { ...PARTS, ...over });

    expect(done).toBeUndefined();
  });

  it("is done where the pod that had them is over", async () => {
    const over = { ...HOLDER, overAt: new Date(T0).toISOString() };

    expect(await alone([HELD], async () => "done", { ...PARTS, known: () => knownPods([over], new Set()) })).toBe(
      "done",
    );
  });
});
