/**
 * Plays the faults, one after the other, in one arena for as long as all goes well: a fault that fails gets the next one a
 * fresh arena. CHAOS=full plays all, otherwise those marked `short`; CHAOS_SEED repeats a run; CHAOS_TODO=1 plays also
 * what is known not to hold yet.
 */
import { afterAll, describe, expect, it } from "vitest";

import { Arena } from "../support/arena/arena.ts";
import type { Fault } from "../support/arena/fault.ts";
import { ChaosReport } from "../support/arena/report.ts";
import { FAULTS, GROUPS } from "./faults.ts";

const LIMIT_MS = 120_000;
/** An arena watches over its faults itself, and has to be opened and closed besides. */
const UNLIMITED = 1_200_000;

const full = process.env["CHAOS"] === "full";
const withTodo = process.env["CHAOS_TODO"] === "1";
const seed = process.env["CHAOS_SEED"] ?? String(Math.floor(Math.random() * 1e9));
const report = new ChaosReport(seed);
const open: { arena?: Arena } = {};

afterAll(async () => {
  await open.arena?.close();
  process.stdout.write(`\n${report.sentence()}\n`);
}, UNLIMITED);

const chosen = GROUPS.map(({ about, faults }) => ({
  about,
  faults: faults.filter((fault) => full || fault.short === true),
})).filter(({ faults }) => faults.length > 0);

describe.for(chosen)("$about", ({ faults }) => {
  it.for(faults)("$name", { timeout: UNLIMITED }, (fault, { skip }) => {
    if (fault.todo === undefined || withTodo) return play(fault);
    report.add({ name: fault.name, result: "todo", reason: fault.todo });
    return skip(`to do: ${fault.todo}`);
  });
});

it("each fault has a name of its own", () => {
  expect(FAULTS.map(({ name }) => name)).toEqual([...new Set(FAULTS.map(({ name }) => name))]);
});

async function play({ name, limitMs = LIMIT_MS }: Fault): Promise<void> {
  const arena = (open.arena ??= await Arena.open());
  const began = performance.now();
  const took = (): number => Math.round(performance.now() - began);
  try {
    await arena.play({ run: name, seed, limitMs });
    report.add({ name, result: "passed", ms: took() });
  } catch (error) {
    report.add({ name, result: "failed", ms: took(), reason: error instanceof Error ? error.message : String(error) });
    delete open.arena;
    await arena.close();
    throw error;
  }
}
