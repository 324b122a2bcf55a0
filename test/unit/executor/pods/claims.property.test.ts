/**
 * What is free, seen from both sides: the host that admits pods and the agent that places them. Whatever is claimed, given
 * back, resized or forgotten in between, nothing is ever below zero, above the total, or given twice.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { freeOn } from "../../../../agent/fleet/host.ts";
import { place } from "../../../../agent/fleet/placement.ts";
import type { PodRecord as AgentPod } from "../../../../agent/store/records.ts";
import { refusalOf } from "../../../../executor/pods/admission.ts";
import { claimsOf, freeOf } from "../../../../executor/pods/claims.ts";
import type { PodRecord } from "../../../../executor/pods/state.ts";
import type { HostResources } from "../../../../protocol/host.ts";
import type { PodId } from "../../../../protocol/ids.ts";
import type { PodSpec } from "../../../../protocol/pod.ts";
import { GIB, gpu, hostFacts, hostId } from "../../../support/agent-builders.ts";
import { podId, podRecord, podSpec, T0, wantedPod } from "../../../support/builders.ts";

const TOTAL: HostResources = { cpus: 8, memoryBytes: 16 * GIB, diskBytes: 100 * GIB };
const GPUS = [1, 2, 3, 4].map((n) => gpu(n));
const KINDS = ["cpus", "memoryBytes", "diskBytes"] as const;
const AT = new Date(T0).toISOString();
const SPEC = podSpec();
const WANTED = wantedPod();
const RECORD = podRecord();
/** Sums of fractions of a CPU miss by a hair. */
const HAIR = 1e-6;

/** Uneven on purpose: 0.1 and 0.7 have no exact binary form. */
const size = fc.record({
  gpus: fc.integer({ min: 0, max: 3 }),
  cpus: fc.oneof(fc.constantFrom(0.1, 0.2, 0.3, 0.7, 1, 3), fc.double({ min: 0.01, max: 4, noNaN: true })),
  memoryBytes: fc.integer({ min: 2 ** 24, max: 6 * GIB }),
  diskBytes: fc.integer({ min: 2 ** 26, max: 40 * GIB }),
});
const n = fc.integer({ min: 1, max: 8 });
const command = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("claim" as const), n, size }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("release" as const), n }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("resize" as const), n, size }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom("crash" as const, "agent-crash" as const, "tell" as const) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("reserve" as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  },
);
type Command = typeof command extends fc.Arbitrary<infer T> ? T : never;
type Size = Extract<Command, { size: unknown }>["size"];

/** A host and an agent that know each other; either may lose its memory, and what the host says reaches the agent late. */
class Two {
  #host = new Map<PodId, PodRecord>();
  #agent = new Map<PodId, AgentPod>();
  #rentable = TOTAL;
  /** What was found that must not be. */
  readonly wrong: string[] = [];

  run(step: Command): void {
    this.#do(step);
    this.#check();
  }

  #do(step: Command): void {
    if (step.do === "claim") this.claim(podId(step.n), step.size);
    else if (step.do === "release") this.release(podId(step.n));
    else if (step.do === "resize") {
      this.release(podId(step.n));
      this.claim(podId(step.n), step.size);
    } else if (step.do === "reserve") this.#rentable = this.reserve(step.share);
    else if (step.do === "crash") this.#host = new Map(JSON.parse(JSON.stringify([...this.#host])));
    else if (step.do === "agent-crash") this.#agent = new Map(JSON.parse(JSON.stringify([...this.#agent])));
    else this.tell();
  }

  /** The agent places the pod, and the host looks for itself. */
  claim(id: PodId, asked: Size): void {
    const known = this.#host.get(id);
    if (known !== undefined && known.overAt === undefined) return;
    const { gpus, ...amounts } = asked;
    const spec: PodSpec = { ...SPEC, ...amounts, gpus: { count: gpus } };
    const facts = hostFacts({ total: TOTAL, rentable: this.#rentable, gpus: GPUS });
    const free = freeOn(facts, [...this.#agent.values()]);
    const placed = place({ spec }, [{ hostId: hostId(1), offer: { facts, free } }]);
    if (!placed.ok) return;
    const wanted = { ...WANTED, podId: id, gpus: [...placed.gpus], spec };
    const refusal = refusalOf({
      wanted,
      claims: claimsOf(this.#host.values()),
      gpus: GPUS,
      rentable: this.#rentable,
      sealingKey: "",
      volumeBytes: 0,
      pressure: undefined,
      inTheWay: [],
      blocked: new Map(),
    });
    if (refusal !== undefined) this.wrong.push(`the host refuses what the agent placed on it: ${refusal.message}`);
    this.#agent.set(id, { wanted, hostId: hostId(1), createdAt: AT, claimed: true, acceptedMs: 0 });
    this.#host.set(id, { ...RECORD, wanted });
  }

  /** Over on the host; the agent learns of it when it is told. */
  release(id: PodId): void {
    const record = this.#host.get(id);
    if (record !== undefined) this.#host.set(id, { ...record, overAt: AT });
  }

  tell(): void {
    for (const [id, pod] of this.#agent) {
      if (this.#host.get(id)?.overAt === undefined) continue;
      const status = {
        podId: id,
        revision: 1,
        phase: "ended" as const,
        since: AT,
        gpus: [],
        ports: [],
        timelineMs: {},
      };
      this.#agent.set(id, { ...pod, status });
    }
  }

  /** What the operator keeps back changes; never what pods hold already. */
  reserve(share: number): HostResources {
    const { used } = claimsOf(this.#host.values());
    const left = (kind: keyof HostResources): number => used[kind] + (TOTAL[kind] - used[kind]) * share;
    return {
      cpus: left("cpus"),
      memoryBytes: Math.floor(left("memoryBytes")),
      diskBytes: Math.floor(left("diskBytes")),
    };
  }

  #check(): void {
    const { used, gpus } = claimsOf(this.#host.values());
    const free = freeOf(this.#rentable, used);
    const facts = hostFacts({ total: TOTAL, rentable: this.#rentable, gpus: GPUS });
    const offer = freeOn(facts, [...this.#agent.values()]);
    const say = (isWrong: boolean, what: string): unknown => isWrong && this.wrong.push(what);
    const living = [...this.#host.values()].filter(({ overAt }) => overAt === undefined);
    for (const kind of KINDS) {
      const promised = living.reduce((sum, { wanted }) => sum + wanted.spec[kind], 0);
      say(Math.abs(used[kind] - promised) > HAIR, `${kind}: what is used is not what was promised`);
      say(used[kind] < 0, `${kind}: less than nothing is used`);
      say(used[kind] > TOTAL[kind] + HAIR, `${kind}: more is used than there is`);
      say(free[kind] < 0, `${kind}: less than nothing is free`);
      say(free[kind] > this.#rentable[kind] + HAIR, `${kind}: more is free than is rented out`);
      say(
        Math.abs(free[kind] + used[kind] - this.#rentable[kind]) > 2 * HAIR,
        `${kind}: used and free are not the whole`,
      );
      say(offer.resources[kind] < 0, `${kind}: less than nothing is offered`);
      say(offer.resources[kind] > free[kind] + HAIR, `${kind}: more is offered than is free`);
    }
    const held = living.flatMap(({ wanted }) => wanted.gpus);
    say(new Set(held).size !== held.length || gpus.size !== held.length, "a GPU was given twice");
    say(
      offer.gpus.some(({ uuid }) => gpus.has(uuid)),
      "a GPU is offered that a pod holds",
    );
    say(offer.gpus.length + held.length > GPUS.length, "there are more GPUs than there are");
  }

  /** What is free once every pod is over. */
  empty(): { readonly host: HostResources; readonly agent: ReturnType<typeof freeOn> } {
    for (const id of this.#host.keys()) this.release(id);
    this.tell();
    const facts = hostFacts({ total: TOTAL, rentable: TOTAL, gpus: GPUS });
    return {
      host: freeOf(TOTAL, claimsOf(this.#host.values()).used),
      agent: freeOn(facts, [...this.#agent.values()]),
    };
  }
}

describe("demand 16: what is free on a host", () => {
  it("is never below zero, above the total or given twice, in 10,000 sequences of claims, releases, resizes and crashes", () => {
    fc.assert(
      fc.property(fc.array(command, { minLength: 1, maxLength: 24, size: "max" }), (commands) => {
        const two = new Two();
        for (const step of commands) two.run(step);

        expect(two.wrong).toEqual([]);
        expect(two.empty()).toEqual({ host: TOTAL, agent: { resources: TOTAL, gpus: GPUS } });
      }),
      { numRuns: 10_000 },
    );
  }, 60_000);

  it("has no hair left over after many fractions", () => {
    const records = Array.from({ length: 7 }, (_, index) => ({
      ...RECORD,
      wanted: { ...WANTED, podId: podId(index), spec: { ...SPEC, cpus: 0.1 } },
    }));

    const pods = records.map(({ wanted }) => ({
      wanted,
      hostId: hostId(1),
      createdAt: AT,
      claimed: true,
      acceptedMs: 0,
    }));
    expect(freeOn(hostFacts({ rentable: { ...TOTAL, cpus: 0.8 } }), pods).resources.cpus).toBe(0.1);
    expect(freeOf({ ...TOTAL, cpus: 0.8 }, claimsOf(records).used).cpus).toBe(0.1);
    expect(freeOf({ ...TOTAL, cpus: 0.7 }, claimsOf(records).used).cpus).toBe(0);
  });
});
