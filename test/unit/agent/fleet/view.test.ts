/**
 * What callers see: never a phase that nobody knows to be true, and never a wait for what cannot come.
 */
import { describe, expect, it } from "vitest";

import { offersOf as offersOn } from "../../../../agent/fleet/offers.ts";
import { type Candidate } from "../../../../agent/fleet/placement.ts";
import { candidateOf, hostViewOf, isSettled, viewOf } from "../../../../agent/fleet/view.ts";
import { Offer } from "../../../../protocol/capacity.ts";
import { HostView } from "../../../../protocol/operator-api.ts";
import { PodPhase, PodView } from "../../../../protocol/pod.ts";
import { gpu, hostFacts, hostRecord, podRecord, podStatus } from "../../../support/agent-builders.ts";
import { podSpec, wantedPod } from "../../../support/builders.ts";

describe("the view of a pod", () => {
  it("is pending until the host has acknowledged it, with the time that accepting took", () => {
    const view = viewOf(podRecord({ acceptedMs: 3.14159 }), true);

    expect(view).toMatchObject({
      live: true,
      status: { phase: "pending", revision: 0, timelineMs: { accepted: 3.1 } },
    });
    expect(PodView.parse(view)).toEqual(view);
  });

  it("is unknown while the host is away, and keeps what was known besides", () => {
    const status = podStatus("running", { ssh: { host: "203.0.113.7", port: 40_000, user: "root", hostKey: "k" } });

    const view = viewOf(podRecord({ status }), false);

    expect(view).toMatchObject({ live: false, status: { ...status, phase: "unknown", timelineMs: { accepted: 3 } } });
  });

  it("stays over when the host is away", () => {
    const phases = (["ended", "failed"] as const).map(
      (phase) => viewOf(podRecord({ status: podStatus(phase) }), false).status.phase,
    );

    expect(phases).toEqual(["ended", "failed"]);
  });

  it("counts the host's stages from the request on, and leaves out what was not reached", () => {
    const status = podStatus("starting", { timelineMs: { accepted: 999, pulled: 10, created: 20.26 } });

    const { timelineMs } = viewOf(podRecord({ acceptedMs: 5, status }), true).status;

    expect(timelineMs).toEqual({ accepted: 5, pulled: 15, created: 25.3 });
  });

  it("shows sealed values sealed", () => {
    const sealedEnv = { to: Buffer.alloc(32).toString("base64"), box: Buffer.alloc(80).toString("base64") };

    expect(viewOf(podRecord({ wanted: wantedPod({ spec: podSpec({ sealedEnv }) }) }), true).spec).toMatchObject({
      sealedEnv,
    });
  });
});

describe("waiting for a phase", () => {
  const settledFor = (now: PodPhase, goal: "running" | "stopped" | "ended"): PodPhase[] =>
    PodPhase.options.filter((phase) =>
      isSettled(podRecord({ wanted: wantedPod({ goal }), status: podStatus(now) }), true, phase),
    );

  it("ends when the phase is there", () => {
    for (const phase of PodPhase.options) expect(settledFor(phase, "running")).toContain(phase);
  });

  it("ends at once for a pod that is over", () => {
    expect(settledFor("failed", "running")).toEqual(PodPhase.options);
    expect(isSettled(podRecord({ status: podStatus("ended") }), false, "running")).toBe(true);
  });

  it("ends when only a new request could bring the phase", () => {
    expect(settledFor("exited", "running")).toEqual(
      expect.arrayContaining(["pulling", "running", "degraded", "exited"]),
    );
    expect(settledFor("stopping", "stopped")).toContain("running");
    expect(settledFor("ending", "ended")).toContain("stopped");
    expect(settledFor("running", "running")).toContain("pulling");
  });

  it("goes on while the phase can still come", () => {
    expect(settledFor("pulling", "running")).not.toContain("running");
    expect(settledFor("stopping", "running")).not.toContain("running");
    expect(settledFor("degraded", "running")).not.toContain("running");
    expect(settledFor("running", "stopped")).not.toContain("stopped");
    expect(settledFor("ending", "ended")).not.toContain("ended");
    expect(settledFor("unknown", "running")).toEqual(["unknown"]);
  });

  it("does not take a phase from before the newest request, or from a host that is away", () => {
    const status = podStatus("running");
    const restarted = podRecord({ wanted: wantedPod({ revision: 2, runs: 2 }), status });

    expect(isSettled(restarted, true, "running")).toBe(false);
    expect(isSettled(podRecord({ status }), false, "running")).toBe(false);
    expect(isSettled(podRecord(), true, "running")).toBe(false);
  });
});

const PLAIN = { hostKey: "key", terms: { maintenance: false }, priceMicrosOf: () => undefined, gpuProblems: [] };

function offersOf(candidate: Candidate): Offer[] {
  return offersOn(candidate, PLAIN);
}

describe("what is offered", () => {
  const host = { record: hostRecord(), connected: true, ready: true };

  it("is what a host rents out, GPU by GPU, less what pods hold", () => {
    const pod = podRecord({ wanted: wantedPod({ gpus: [gpu(1).uuid], spec: podSpec({ cpus: 6 }) }) });

    const [offer] = offersOf(candidateOf(host, [pod], false));

    expect(offer).toMatchObject({ total: { cpus: 16 }, free: { cpus: 10 } });
    expect(offer?.gpus.map(({ uuid, free }) => [uuid, free])).toEqual([
      [gpu(1).uuid, false],
      [gpu(2).uuid, true],
    ]);
    expect(Offer.parse(offer)).toEqual(offer);
  });

  it("holds simulated GPUs only where they are allowed", () => {
    const facts = hostFacts({ gpus: [gpu(1, { simulated: true }), gpu(2)] });
    const simulating = { ...host, record: hostRecord({ facts }) };

    const offered = [true, false].map((allowed) =>
      offersOf(candidateOf(simulating, [], allowed)).flatMap(({ gpus }) => gpus.map(({ uuid }) => uuid)),
    );

    expect(offered).toEqual([[gpu(1).uuid, gpu(2).uuid], [gpu(2).uuid]]);
  });

  it("is nothing for a host that is away, has not told its pods, or never told what it is", () => {
    const absent = [
      { ...host, connected: false, ready: false },
      { ...host, ready: false },
      { ...host, record: hostRecord({ facts: undefined }) },
    ];

    expect(absent.flatMap((one) => offersOf(candidateOf(one, [], true)))).toEqual([]);
  });
});

describe("the view of a host", () => {
  const NOW = "2026-01-01T12:00:00.000Z";

  it("says that a connected host is seen now, and another when it was seen last", () => {
    const record = hostRecord({ lastSeenAt: "2026-01-01T11:00:00.000Z" });

    expect(hostViewOf({ record, connected: true, ready: true }, [], NOW).lastSeenAt).toBe(NOW);
    expect(hostViewOf({ record, connected: false, ready: false }, [], NOW).lastSeenAt).toBe(record.lastSeenAt);
  });

  it("counts the pods that are not over", () => {
    const pods = [podRecord(), podRecord({ status: podStatus("ended") })];

    const view = hostViewOf({ record: hostRecord({ facts: undefined }), connected: false, ready: false }, pods, NOW);

    expect(view).toMatchObject({ connected: false, pods: 1 });
    expect(HostView.parse(view)).toEqual(view);
  });
});
