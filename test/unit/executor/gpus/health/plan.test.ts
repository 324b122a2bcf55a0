/** Remedies come one at a time, the mildest first, and never to whoever has a GPU. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { planRemedy, type RemedyInput } from "../../../../../executor/gpus/health/plan.ts";
import { simulatedGpus } from "../../../../../executor/gpus/simulated.ts";
import { Cure, type GpuFence, type GpuRemedy } from "../../../../../protocol/gpu-incident.ts";
import type { GpuUuid } from "../../../../../protocol/ids.ts";

const NOW = Date.UTC(2026, 0, 1);
const BOARD = simulatedGpus("8xH100", "host").snapshot();
const PLAIN = simulatedGpus("4xL40S", "host").snapshot();
const [FIRST, SECOND] = BOARD.gpus.map(({ uuid }) => uuid) as [GpuUuid, GpuUuid];
const [LONE, LONE_NEIGHBOUR] = PLAIN.gpus.map(({ uuid }) => uuid) as [GpuUuid, GpuUuid];

function fence(gpu: GpuUuid, cure: Cure, more: Partial<GpuFence> = {}): GpuFence {
  const since = new Date(NOW - 600_000).toISOString();
  return { gpu, code: `because-${cure}`, message: "x", cure, breaks: true, since, bootId: "b", tries: 0, ...more };
}

function remedy(action: GpuRemedy["action"], gpu: GpuUuid, agoMs: number, outcome: GpuRemedy["outcome"]): GpuRemedy {
  return { at: new Date(NOW - agoMs).toISOString(), action, gpus: [gpu], by: "rule", outcome, message: "x" };
}

function plan(fences: readonly GpuFence[], more: Partial<RemedyInput> = {}) {
  return planRemedy({
    fences,
    found: PLAIN,
    held: new Set(),
    pods: 0,
    remedies: [],
    nowMs: NOW,
    allowReboot: true,
    forbidden: undefined,
    ...more,
  });
}

function waiting(fences: readonly GpuFence[], more: Partial<RemedyInput> = {}): string {
  const made = plan(fences, more);
  return made.do === "wait" ? [...made.why.values()].join(" ") : made.do;
}

describe("planRemedy", () => {
  it("tests first, resets then, boots at last", () => {
    const [a, b, c] = PLAIN.gpus.map(({ uuid }) => uuid) as [GpuUuid, GpuUuid, GpuUuid];

    expect(plan([fence(a, "reboot"), fence(b, "reset"), fence(c, "validate")])).toEqual({ do: "validate", gpu: c });
    expect(plan([fence(a, "reboot"), fence(b, "reset")])).toEqual({ do: "reset", gpu: b });
    expect(plan([fence(a, "reboot"), fence(b, "operator")])).toEqual({ do: "reboot", gpus: [a] });
  });

  it("does what the strongest of a GPU's cures is, and nothing where only an operator can", () => {
    expect(plan([fence(LONE, "validate"), fence(LONE, "reset", { code: "other" })])).toEqual({
      do: "reset",
      gpu: LONE,
    });
    expect(waiting([fence(LONE, "validate"), fence(LONE, "operator", { code: "other" })])).toMatch(/operator/);
  });

  it("leaves a GPU alone that a pod has, that a program uses, or of which nobody knows", () => {
    const used = PLAIN.gpus.map((gpu) => ({ ...gpu, processes: [{ pid: 42, memoryBytes: 1 }] }));

    expect(waiting([fence(LONE, "validate")], { held: new Set([LONE]) })).toBe("A pod has it.");
    expect(waiting([fence(LONE, "reset")], { found: { ...PLAIN, gpus: used } })).toBe("Process 42 uses it.");
    expect(waiting([fence(LONE, "validate")], { held: undefined })).toMatch(/not known/);
  });

  it("resets none whose neighbour on the same switches is in use, and tests it all the same", () => {
    const held = new Set([SECOND]);

    expect(waiting([fence(FIRST, "reset")], { found: BOARD, held })).toMatch(/shares its NVLink switches/);
    expect(plan([fence(FIRST, "validate")], { found: BOARD, held })).toEqual({ do: "validate", gpu: FIRST });
    expect(plan([fence(LONE, "reset")], { held: new Set([LONE_NEIGHBOUR]) })).toEqual({ do: "reset", gpu: LONE });
  });

  it("boots only an empty machine, only where that is allowed, and not again and again", () => {
    const boots = [1, 2].map((days) => remedy("reboot", LONE, days * 86_400_000, "begun"));

    const young = { since: new Date(NOW - 60_000).toISOString() };
    expect(waiting([fence(LONE, "reboot", young)])).toMatch(/by itself/);
    expect(waiting([fence(LONE, "reboot")], { pods: 1 })).toMatch(/there are pods/);
    expect(waiting([fence(LONE, "reboot")], { held: new Set([LONE_NEIGHBOUR]) })).toMatch(/there are pods/);
    expect(waiting([fence(LONE, "reboot")], { allowReboot: false })).toMatch(/does not allow/);
    expect(waiting([fence(LONE, "reboot")], { remedies: boots })).toMatch(/booted 2 times/);
  });

  it("rests after a try in vain, longer each time, and resets at most three times a day", () => {
    const vain = remedy("validate", LONE, 59_000, "failed");
    const resets = [1, 2, 3].map((hours) => remedy("reset", LONE, hours * 3_600_000, "done"));

    expect(waiting([fence(LONE, "validate", { tries: 1 })], { remedies: [vain] })).toMatch(/in 1 s/);
    expect(waiting([fence(LONE, "validate", { tries: 2 })], { remedies: [vain] })).toMatch(/in 61 s/);
    expect(waiting([fence(LONE, "reset")], { remedies: resets })).toMatch(/3 times within a day/);
  });

  it("does nothing but test where the agent forbids more", () => {
    const forbidden = "The fleet is sick.";

    expect(waiting([fence(LONE, "reset"), fence(LONE_NEIGHBOUR, "reboot")], { forbidden })).toBe(
      "The fleet is sick. The fleet is sick.",
    );
    expect(plan([fence(LONE, "validate")], { forbidden })).toEqual({ do: "validate", gpu: LONE });
  });

  it("never touches who has a GPU, whatever is fenced and held", () => {
    const uuids = BOARD.gpus.map(({ uuid }) => uuid);
    const anyFence = fc
      .tuple(fc.constantFrom(...uuids), fc.constantFrom(...Cure.options))
      .map(([gpu, cure]) => fence(gpu, cure));
    fc.assert(
      fc.property(fc.array(anyFence), fc.subarray(uuids), (fences, taken) => {
        const held = new Set(taken);
        const made = plan(fences, { found: BOARD, held, pods: held.size });
        // All eight hang on the same switches.
        const isRight = made.do === "wait" || (made.do === "validate" ? !held.has(made.gpu) : held.size === 0);
        expect(isRight).toBe(true);
      }),
    );
  });
});
