/** Metrics of accelerators: what is known, of whom, and nothing else. */
import { describe, expect, it } from "vitest";

import { metricsText } from "../../../../agent/gpus/metrics.ts";
import type { TellingHost } from "../../../../agent/gpus/view.ts";
import type { Accelerator } from "../../../../protocol/accelerator.ts";
import type { GpuHolder } from "../../../../protocol/gpu-report.ts";
import { hostId } from "../../../support/agent-builders.ts";
import { OWNER, podId, T0 } from "../../../support/builders.ts";
import { accelerator, toldState, toldUuid } from "../../../support/gpus/told.ts";

function host(gpus: readonly Accelerator[], holders: readonly GpuHolder[] = [], over: Partial<TellingHost> = {}) {
  const told = { cursor: "a", state: toldState(gpus, holders), heardAtMs: T0 - 3_000 };
  return { hostId: hostId(1), name: "gpu-host", connected: true, told, ...over };
}

function samples(...hosts: TellingHost[]): string[] {
  const text = metricsText({ hosts, ownerOf: () => OWNER, nowMs: T0 });
  return text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
}

const H1 = `host="${hostId(1)}"`;
const GPU1 = `${H1},uuid="${toldUuid(1)}",model="NVIDIA H100 80GB HBM3"`;
const held = (n: number): GpuHolder => ({ uuid: toldUuid(n), podId: podId(1) });

describe("a device", () => {
  it("has its values in plain units, with who has it", () => {
    const lines = samples(
      host(
        [accelerator(1, { power: { drawWatts: 310.5, energyMillijoules: 2_500 }, clocks: { coreMhz: 1_980 } })],
        [held(1)],
      ),
    );
    const labels = `${GPU1},pod="${podId(1)}"`;

    expect(lines).toContain(`lium_gpu_power_watts{${labels}} 310.5`);
    expect(lines).toContain(`lium_gpu_energy_joules_total{${labels}} 2.5`);
    expect(lines).toContain(`lium_gpu_core_clock_hertz{${labels}} 1980000000`);
    expect(lines).toContain(`lium_gpu_utilisation_ratio{${labels}} 0.57`);
    expect(lines).toContain(`lium_gpu_fenced{${labels}} 0`);
    expect(lines).toContain(`lium_gpu_report_age_seconds{${H1}} 3`);
  });

  it("has no sample of what is not known, and never a zero for it", () => {
    const lines = samples(host([accelerator(1, { power: {}, utilisation: { gpuPercent: { unavailable: "lost" } } })]));

    expect(lines.filter((line) => /power|utilisation|ecc|throttle/.test(line))).toEqual([]);
  });

  it("demand 28: has one sample for each reason against it, which goes with the reason", () => {
    const reasons = [{ code: "lost", message: "It is lost.", fence: true }];
    const sick = accelerator(1, { health: { state: "fenced", reasons } });

    expect(samples(host([sick]))).toContain(`lium_gpu_health_reason{${GPU1},code="lost"} 1`);
    expect(samples(host([sick]))).toContain(`lium_gpu_fenced{${GPU1}} 1`);
    expect(samples(host([accelerator(1)])).join()).not.toContain("health_reason");
  });

  it("of a host that is away has none", () => {
    const lines = samples(host([accelerator(1)], [held(1)], { connected: false }));

    expect(lines).toEqual([`lium_host_connected{${H1},name="gpu-host"} 0`]);
  });

  it("cannot break out of a label", () => {
    const [line] = samples(host([], [], { name: 'a"} 1\nlium_fake{x="\\' }));

    expect(line).toBe(`lium_host_connected{${H1},name="a\\"} 1\\nlium_fake{x=\\"\\\\"} 1`);
  });
});

describe("a pod", () => {
  const POD = `${H1},pod="${podId(1)}",owner="${OWNER}"`;

  it("has the sum over its devices, and the mean of their load", () => {
    const second = accelerator(2, { power: { drawWatts: 100 }, utilisation: { gpuPercent: 43 } });
    const lines = samples(host([accelerator(1), second, accelerator(3)], [held(1), held(2)]));

    expect(lines).toContain(`lium_pod_gpus{${POD}} 2`);
    expect(lines).toContain(`lium_pod_gpu_power_watts{${POD}} 410.5`);
    expect(lines).toContain(`lium_pod_gpu_utilisation_ratio{${POD}} 0.5`);
  });

  it("has no sum where one of its devices is not known", () => {
    const lines = samples(host([accelerator(1), accelerator(2, { power: {} })], [held(1), held(2)]));

    expect(lines.join()).not.toContain("lium_pod_gpu_power_watts");
    expect(lines).toContain(`lium_pod_gpus{${POD}} 2`);
  });

  it("with a part of a device has that part's memory, and not the draw of the whole", () => {
    const uuid = toldUuid(9);
    const part = {
      uuid,
      kind: "mig" as const,
      parent: toldUuid(1),
      index: 0,
      memory: { totalBytes: 10, usedBytes: 4 },
    };
    const lines = samples(host([accelerator(1, { partitions: [part] })], [held(9)]));

    expect(lines).toContain(`lium_pod_gpu_memory_used_bytes{${POD}} 4`);
    expect(lines.join()).not.toContain("lium_pod_gpu_power_watts");
    expect(lines).toContain(`lium_gpu_power_watts{${GPU1}} 310.5`);
  });

  it("demand 28: has no series once it holds nothing", () => {
    expect(samples(host([accelerator(1)])).join()).not.toContain("lium_pod");
  });
});
