/** The record of usage against the truth: kills, reboots, clock jumps and sick pods in any order. */
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";

import type { UsageEntry } from "../../../../protocol/usage.ts";
import { MeteredWorld, TICK_MS } from "../../../support/metered-world.ts";

const HOUR = 3_600_000;

const pod = fc.nat(2);
const command = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.integer({ min: 1, max: 90_000 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("jump" as const), ms: fc.constantFrom(-HOUR, HOUR, -90_000, 5_000) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("kill" as const, "start" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("engine" as const), answers: fc.boolean() }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom(
        "sicken" as const,
        "confirm" as const,
        "heal" as const,
        "exit" as const,
        "break" as const,
        "restart" as const,
        "halt" as const,
        "end" as const,
        "look" as const,
      ),
      pod,
    }),
  },
);
type Command = typeof command extends fc.Arbitrary<infer T> ? T : never;

let world: MeteredWorld;
afterEach(() => world.dispose());

function run(step: Command): void {
  if (step.do === "pass") world.pass(step.ms);
  else if (step.do === "jump") world.jump(step.ms);
  else if (step.do === "engine") world.setEngine(step.answers);
  else if ("pod" in step) act(step.do, step.pod);
  else world[step.do]();
}

function act(what: Extract<Command, { pod: number }>["do"], index: number): void {
  const one = world.pods[index];
  if (one === undefined) return;
  if (what === "exit") world.exit(one, "renter");
  else if (what === "break") world.exit(one, "provider");
  else world[what](one);
}

async function entriesOf(podId: string): Promise<UsageEntry[]> {
  const entries: UsageEntry[] = [];
  for await (const { entry } of world.meter.read({})) if (entry.podId === podId) entries.push(entry);
  return entries;
}

function sum(entries: readonly UsageEntry[], kind: UsageEntry["kind"]): number {
  return entries.filter((entry) => entry.kind === kind).reduce((all, { ms }) => all + ms, 0);
}

describe("demand 31: the record of usage", { timeout: 60_000 }, () => {
  it("differs from the truth by at most a second for each restart, whatever the wall clock does", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 5, maxLength: 40, size: "max" }), async (commands) => {
        world = new MeteredWorld();
        try {
          world.start();
          for (let n = 0; n < 3; n += 1) world.add();
          for (const step of commands) run(step);
          world.start();
          world.setEngine(true);
          for (const one of world.pods) world.confirm(one);
          world.meter.tick();

          for (const { id, billedMs } of world.pods.filter(({ muddled }) => !muddled)) {
            const billed = sum(await entriesOf(id), "billed");
            expect(Math.abs(billed - billedMs), `pod ${id}`).toBeLessThanOrEqual(1_000 * world.kills);
          }
          expect(await world.meter.verify()).toMatchObject({ intact: true, faults: [] });
        } finally {
          world.dispose();
        }
      }),
      { numRuns: 100 },
    );
  });

  it("counts nothing of a reboot, and loses at most one interval to a power cut, in the renter's favour", async () => {
    const reboot = fc.record({
      beforeMs: fc.integer({ min: 0, max: 300_000 }),
      downMs: fc.integer({ min: 0, max: 24 * HOUR }),
      jumpMs: fc.constantFrom(-HOUR, 0, HOUR),
      clean: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(reboot, { minLength: 1, maxLength: 4 }), async (reboots) => {
        world = new MeteredWorld();
        try {
          world.start();
          const one = world.add();
          for (const { beforeMs, downMs, jumpMs, clean } of reboots) {
            world.pass(beforeMs);
            world.jump(jumpMs);
            world.reboot(downMs, clean);
            world.start();
            world.restart(one);
          }
          world.meter.tick();

          const lost = one.billedMs - sum(await entriesOf(one.id), "billed");
          expect(lost).toBeGreaterThanOrEqual(0);
          expect(lost).toBeLessThanOrEqual(world.powerCuts * TICK_MS);
        } finally {
          world.dispose();
        }
      }),
      { numRuns: 60 },
    );
  });
});
