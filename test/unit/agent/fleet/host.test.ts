/**
 * What is free on a host stays between nothing and all, and no GPU goes to two pods, whatever happens in what order.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { freeOn } from "../../../../agent/fleet/host.ts";
import { place } from "../../../../agent/fleet/placement.ts";
import { changeWanted } from "../../../../agent/fleet/pod.ts";
import type { PodRecord } from "../../../../agent/store/records.ts";
import type { HostFacts } from "../../../../protocol/host.ts";
import { isOver, PodPhase } from "../../../../protocol/pod.ts";
import { GIB, gpu, hostFacts, hostId, podRecord, podStatus } from "../../../support/agent-builders.ts";
import { podId, podSpec, T0, wantedPod } from "../../../support/builders.ts";

const KINDS = ["cpus", "memoryBytes", "diskBytes"] as const;

type Step =
  | { do: "create"; cpus: number; memoryGib: number; gpus: number }
  | { do: "status"; pod: number; phase: PodPhase }
  | { do: "terminate"; pod: number }
  | { do: "report-unknown"; gpus: number; cpus: number }
  | { do: "reconnect"; cpus: number; gpus: number };

const pod = fc.nat(9);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant("create" as const),
    cpus: fc.double({ min: 0.01, max: 8, noNaN: true }),
    memoryGib: fc.integer({ min: 1, max: 20 }),
    gpus: fc.nat(4),
  }),
  fc.record({ do: fc.constant("status" as const), pod, phase: fc.constantFrom(...PodPhase.options) }),
  fc.record({ do: fc.constant("terminate" as const), pod }),
  fc.record({ do: fc.constant("report-unknown" as const), gpus: fc.nat(4), cpus: fc.nat(32) }),
  fc.record({ do: fc.constant("reconnect" as const), cpus: fc.nat(16), gpus: fc.nat(6) }),
);

interface World {
  facts: HostFacts;
  pods: PodRecord[];
}

/** What the agent knows after one more thing has happened. */
function after(world: World, happened: Step): World {
  const { facts, pods } = world;
  const change = (n: number, by: (record: PodRecord) => PodRecord): World => ({
    facts,
    pods: pods.map((record, index) => (index === n % pods.length ? by(record) : record)),
  });
  switch (happened.do) {
    case "create": {
      const { cpus, memoryGib, gpus } = happened;
      const spec = podSpec({ cpus, memoryBytes: memoryGib * GIB, gpus: { count: gpus } });
      const placed = place({ spec }, [{ hostId: hostId(1), offer: { facts, free: freeOn(facts, pods) } }]);
      if (!placed.ok) return world;
      const wanted = wantedPod({ podId: podId(pods.length), spec, gpus: [...placed.gpus] });
      return { facts, pods: [...pods, podRecord({ wanted })] };
    }
    case "status":
      return change(happened.pod, (record) => ({ ...record, status: podStatus(happened.phase) }));
    case "terminate":
      return change(happened.pod, (record) => ({
        ...record,
        wanted: changeWanted(record, { do: "terminate", reason: "requested" }, T0),
      }));
    case "report-unknown": {
      const { cpus, gpus } = happened;
      const free = freeOn(facts, pods).gpus.slice(0, gpus);
      const wanted = wantedPod({
        podId: podId(pods.length),
        spec: podSpec({ cpus: Math.max(1, cpus) }),
        gpus: free.map(({ uuid }) => uuid),
      });
      return { facts, pods: [...pods, podRecord({ wanted, claimed: false, status: podStatus("running") })] };
    }
    case "reconnect": {
      const rentable = { ...facts.rentable, cpus: happened.cpus };
      return { pods, facts: { ...facts, rentable, gpus: Array.from({ length: happened.gpus }, (_, n) => gpu(n)) } };
    }
  }
}

describe("what is free on a host", () => {
  it("is never below zero nor above the total, in 10,000 random histories", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (history) => {
        let world: World = { facts: hostFacts({ gpus: [0, 1, 2, 3].map((n) => gpu(n)) }), pods: [] };
        for (const happened of history) {
          world = after(world, happened);
          const { resources, gpus } = freeOn(world.facts, world.pods);
          for (const kind of KINDS) {
            expect(resources[kind]).toBeGreaterThanOrEqual(0);
            expect(resources[kind]).toBeLessThanOrEqual(world.facts.rentable[kind]);
          }
          expect(world.facts.gpus).toEqual(expect.arrayContaining([...gpus]));
          expect(gpus.length).toBeLessThanOrEqual(world.facts.gpus.length);
        }
      }),
      { numRuns: 10_000 },
    );
  }, 60_000);

  it("never lets two pods that are not over hold one GPU, in 10,000 random histories", () => {
    const notBackFromTheDead = step.filter((one) => one.do !== "status" || isOver(one.phase));
    fc.assert(
      fc.property(fc.array(notBackFromTheDead, { maxLength: 25 }), (history) => {
        const start: World = { facts: hostFacts({ gpus: [0, 1, 2, 3].map((n) => gpu(n)) }), pods: [] };

        const { pods } = history.reduce(after, start);

        const held = pods
          .filter(({ status }) => status === undefined || !isOver(status.phase))
          .flatMap(({ wanted }) => wanted.gpus);
        expect(held).toHaveLength(new Set(held).size);
      }),
      { numRuns: 10_000 },
    );
  }, 60_000);

  it("counts a pod that the host never acknowledged, and one that is ending, until the host says that it is over", () => {
    const facts = hostFacts();
    const accepted = podRecord({ wanted: wantedPod({ gpus: [gpu(1).uuid], spec: podSpec({ cpus: 4 }) }) });
    const ending = { ...accepted, wanted: { ...accepted.wanted, goal: "ended" as const }, status: podStatus("ending") };
    const over = { ...ending, status: podStatus("ended") };

    const free = [accepted, ending, over].map((record) => freeOn(facts, [record]));

    expect(free.map(({ resources }) => resources.cpus)).toEqual([12, 12, 16]);
    expect(free.map(({ gpus }) => gpus.length)).toEqual([1, 1, 2]);
  });

  it("is nothing while the host has a problem", () => {
    const problem = { code: "engine-unavailable", message: "silent", since: new Date(T0).toISOString() };

    expect(freeOn(hostFacts({ problems: [problem] }), [])).toMatchObject({ gpus: [], resources: { cpus: 0 } });
  });

  it("is all the same while GPUs of one vendor cannot be given", () => {
    const problem = { code: "gpu-passthrough-missing", message: "amd", since: new Date(T0).toISOString() };
    const facts = hostFacts({ problems: [problem] });

    expect(freeOn(facts, [])).toMatchObject({ gpus: facts.gpus, resources: facts.rentable });
  });

  it("is nothing beside a pod where a host takes only one, and everything once that one is over", () => {
    const facts = hostFacts({ shared: false });
    const holder = podRecord();

    expect(freeOn(facts, [holder])).toMatchObject({ gpus: [], resources: { memoryBytes: 0 } });
    expect(freeOn(facts, []).gpus).toEqual(facts.gpus);
  });

  it("is no part of a GPU that somebody has whole", () => {
    const whole = gpu(1);
    const part = { ...gpu(2), partition: { parent: whole.uuid } };
    const holder = podRecord({ wanted: wantedPod({ gpus: [whole.uuid] }) });

    expect(freeOn(hostFacts({ gpus: [part] }), [holder]).gpus).toEqual([]);
    expect(freeOn(hostFacts({ gpus: [part] }), []).gpus).toEqual([part]);
  });

  it("has room for a fifth after a tenth of three tenths was taken", () => {
    const facts = hostFacts({ rentable: { cpus: 0.3, memoryBytes: GIB, diskBytes: GIB } });
    const holder = podRecord({ wanted: wantedPod({ spec: podSpec({ cpus: 0.1 }) }) });

    expect(freeOn(facts, [holder]).resources.cpus).toBe(0.2);
  });
});
