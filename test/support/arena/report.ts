/**
 * What a run of the faults came to: a JSON file, and a sentence that says how to repeat it.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

const FILE = join(import.meta.dirname, "../../../.state/chaos/report.json");

interface Line {
  readonly name: string;
  readonly result: "passed" | "failed" | "todo";
  readonly ms?: number;
  readonly reason?: string | undefined;
}

export class ChaosReport {
  readonly #seed: string;
  readonly #startedAt = new Date();
  readonly #lines: Line[] = [];

  constructor(seed: string) {
    this.#seed = seed;
  }

  add(line: Line): void {
    this.#lines.push(line);
  }

  /** Writes the file; resolves with the sentence. */
  async write(): Promise<string> {
    const count = (result: Line["result"]): number => this.#lines.filter((line) => line.result === result).length;
    const counts = { passed: count("passed"), failed: count("failed"), todo: count("todo") };
    const ms = Date.now() - this.#startedAt.getTime();
    const whole = { seed: this.#seed, startedAt: this.#startedAt.toISOString(), ms, ...counts, faults: this.#lines };
    await mkdir(dirname(FILE), { recursive: true });
    await writeFile(FILE, `${JSON.stringify(whole, undefined, 2)}\n`);
    const { passed, failed, todo } = counts;
    return `${passed} faults passed, ${failed} failed, ${todo} to do in ${Math.round(ms / 1000)} s; CHAOS_SEED=${this.#seed} repeats them; ${FILE}`;
  }
}
