/**
 * What a run of the faults comes to: a JSON file, current after each fault, and a sentence that says how to repeat it.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const FOLDER = join(import.meta.dirname, "../../../.state/chaos");

interface Line {
  readonly name: string;
  readonly result: "passed" | "failed" | "todo";
  readonly ms?: number;
  readonly reason?: string | undefined;
}

export class ChaosReport {
  readonly #file: string;
  readonly #seed: string;
  readonly #startedAt = new Date();
  readonly #lines: Line[] = [];

  constructor(name: string, seed: string) {
    this.#file = join(FOLDER, `${name}.json`);
    this.#seed = seed;
  }

  add(line: Line): void {
    this.#lines.push(line);
    const whole = { seed: this.#seed, startedAt: this.#startedAt.toISOString(), ...this.#sums(), faults: this.#lines };
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(this.#file, `${JSON.stringify(whole, undefined, 2)}\n`);
  }

  sentence(): string {
    const { passed, failed, todo, ms } = this.#sums();
    const counts = `${passed} faults passed, ${failed} failed, ${todo} to do in ${Math.round(ms / 1000)} s`;
    return `${counts}; CHAOS_SEED=${this.#seed} repeats them; ${this.#file}`;
  }

  #sums(): Record<Line["result"] | "ms", number> {
    const count = (result: Line["result"]): number => this.#lines.filter((line) => line.result === result).length;
    const ms = Date.now() - this.#startedAt.getTime();
    return { ms, passed: count("passed"), failed: count("failed"), todo: count("todo") };
  }
}
