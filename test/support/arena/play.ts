/**
 * Plays faults as tests, one after the other, in one arena for as long as all goes well: a fault that fails gets the next
 * one a fresh arena. CHAOS=full plays all, otherwise those marked `short`; CHAOS_SEED repeats a run; CHAOS_TODO=1 plays
 * also what is known not to hold yet.
 */
import { afterAll, describe, it } from "vitest";

import { Arena } from "./arena.ts";
import type { Fault, FaultGroup } from "./fault.ts";
import { ChaosReport } from "./report.ts";

const LIMIT_MS = 120_000;
/** An arena watches over its faults itself, and has to be opened and closed besides. */
const UNLIMITED = 1_200_000;

/** `name` is that of the report. */
export function playFaults(name: string, groups: readonly FaultGroup[]): void {
  const full = process.env["CHAOS"] === "full";
  const withTodo = process.env["CHAOS_TODO"] === "1";
  const player = new Player(name, process.env["CHAOS_SEED"] ?? String(Math.floor(Math.random() * 1e9)));
  const chosen = groups
    .map(({ about, faults }) => ({ about, faults: faults.filter((fault) => full || fault.short === true) }))
    .filter(({ faults }) => faults.length > 0);

  afterAll(() => player.close(), UNLIMITED);

  describe.for(chosen)("$about", ({ faults }) => {
    it.for(faults)("$name", { timeout: UNLIMITED }, (fault, { skip }) => {
      if (fault.todo === undefined || withTodo) return player.play(fault);
      player.report.add({ name: fault.name, result: "todo", reason: fault.todo });
      return skip(`to do: ${fault.todo}`);
    });
  });
}

class Player {
  readonly report: ChaosReport;
  readonly #seed: string;
  #arena: Arena | undefined;

  constructor(name: string, seed: string) {
    this.#seed = seed;
    this.report = new ChaosReport(name, seed);
  }

  async play({ name, limitMs = LIMIT_MS }: Fault): Promise<void> {
    const arena = (this.#arena ??= await Arena.open());
    const began = performance.now();
    const took = (): number => Math.round(performance.now() - began);
    try {
      await arena.play({ run: name, seed: this.#seed, limitMs });
      this.report.add({ name, result: "passed", ms: took() });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.report.add({ name, result: "failed", ms: took(), reason });
      await this.#end();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#end();
    process.stdout.write(`\n${this.report.sentence()}\n`);
  }

  async #end(): Promise<void> {
    const arena = this.#arena;
    this.#arena = undefined;
    await arena?.close();
  }
}
