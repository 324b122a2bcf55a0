/** Bursts are one incident; nobody is blamed for what was before them. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import type { Finding } from "../../../../../executor/gpus/health/finding.ts";
import { BURST_GAP_MS, noted } from "../../../../../executor/gpus/health/incidents.ts";
import type { GpuIncident } from "../../../../../protocol/gpu-incident.ts";
import { GpuUuid, PodId } from "../../../../../protocol/ids.ts";
import { findingOf } from "../../../../support/gpus/findings.ts";

const GPU = GpuUuid.parse("GPU-1");
const OTHER = GpuUuid.parse("GPU-2");
const POD = PodId.parse("01a20884-f4b5-7715-be2d-4761f65cf498");
const NEXT = PodId.parse("01a20884-f4b5-7715-be2d-4761f65cf499");
const T0 = Date.UTC(2026, 0, 1);

interface Heard {
  readonly finding: Finding;
  readonly gpu?: GpuUuid;
  readonly podId?: PodId;
}

function incidentsOf(heard: readonly Heard[]): readonly GpuIncident[] {
  return heard.reduce<readonly GpuIncident[]>(
    (incidents, { finding, gpu = GPU, podId }) => noted(incidents, finding, { gpu, podId }).incidents,
    [],
  );
}

describe("incidents", () => {
  it("take a burst together: the worst is the cause, echoes and lesser ones belong to it", () => {
    const [incident, ...more] = incidentsOf([
      { finding: findingOf("xid-31", "application", T0), podId: POD },
      { finding: findingOf("xid-79", "reboot", T0 + 1_000), podId: POD },
      { finding: findingOf("xid-45", "info", T0 + 1_100, { echo: true }), podId: POD },
      { finding: findingOf("xid-31", "application", T0 + 170_000), podId: POD },
    ]);

    expect(more).toEqual([]);
    expect(incident).toMatchObject({ code: "xid-79", class: "reboot", fault: "provider", podId: POD, gpu: GPU });
    expect(incident?.codes).toEqual({ "xid-31": 2, "xid-79": 1, "xid-45": 1 });
    expect(Date.parse(incident?.lastAt ?? "")).toBe(T0 + 170_000);
  });

  it("begin with no echo and with nothing that is only worth a note", () => {
    expect(
      incidentsOf([
        { finding: findingOf("xid-45", "info", T0, { echo: true }) },
        { finding: findingOf("xid-43", "application", T0, { echo: true }) },
        { finding: findingOf("xid-106", "info", T0) },
      ]),
    ).toEqual([]);
  });

  it("are told apart by GPU, by time, and by the pod that had it", () => {
    const incidents = incidentsOf([
      { finding: findingOf("xid-31", "application", T0), podId: POD },
      { finding: findingOf("xid-31", "application", T0 + 10), gpu: OTHER, podId: POD },
      { finding: findingOf("xid-31", "application", T0 + 20), podId: NEXT },
      { finding: findingOf("xid-31", "application", T0 + 20 + BURST_GAP_MS + 1), podId: NEXT },
    ]);

    expect(incidents.map(({ gpu, podId }) => [gpu, podId])).toEqual([
      [GPU, POD],
      [OTHER, POD],
      [GPU, NEXT],
      [GPU, NEXT],
    ]);
  });

  it.each([
    ["application", POD, "renter"],
    ["application", undefined, "unknown"],
    ["memory", POD, "provider"],
    ["reset", undefined, "provider"],
    ["fabric", POD, "provider"],
    ["watch", POD, "unknown"],
  ] as const)("of class %s with %s are the fault of: %s", (kind, podId, fault) => {
    const [incident] = incidentsOf([{ finding: findingOf("xid-1", kind, T0), ...(podId && { podId }) }]);

    expect(incident?.fault).toBe(fault);
  });

  it("count once what the kernel and the driver's library both tell", () => {
    const [incident] = incidentsOf([
      { finding: findingOf("xid-79", "reboot", T0) },
      { finding: findingOf("xid-79", "reboot", T0 + 400, { source: "nvml" }) },
    ]);

    expect(incident?.codes).toEqual({ "xid-79": 1 });
  });

  it("never name a pod that did not have the GPU when any of their errors happened", () => {
    const kinds = ["application", "memory", "reset", "watch"] as const;
    const heard = fc.record({
      at: fc.nat({ max: 3_600_000 }),
      kind: fc.constantFrom(...kinds),
      echo: fc.boolean(),
    });
    // One pod has the GPU up to the hour's half, the other one after it.
    const holderAt = (at: number): PodId => (at < 1_800_000 ? POD : NEXT);
    fc.assert(
      fc.property(fc.array(heard, { maxLength: 60 }), (list) => {
        const incidents = incidentsOf(
          list.map(({ at, kind, echo }) => ({
            finding: findingOf(`xid-${kinds.indexOf(kind) + 1}`, kind, T0 + at, { echo }),
            podId: holderAt(at),
          })),
        );
        for (const { openedAt, lastAt, podId } of incidents) {
          expect(holderAt(Date.parse(openedAt) - T0)).toBe(podId);
          expect(holderAt(Date.parse(lastAt) - T0)).toBe(podId);
        }
      }),
    );
  });
});
