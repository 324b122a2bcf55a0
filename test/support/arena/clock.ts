/**
 * The wall clock of the arena's executor: real time and an offset that a fault may change while the executor runs. The
 * monotonic clock goes on as ever, as on a machine whose time was set.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";

const PRELOAD = join(import.meta.dirname, "shifted-date.ts");

export class Clock {
  readonly #file: string;

  constructor(root: string) {
    this.#file = join(root, "clock-offset");
    this.set(0);
  }

  /** Makes the wall clock differ from real time by so much from now on. */
  set(offsetMs: number): void {
    writeFileSync(this.#file, String(offsetMs));
  }

  /** Goes before a command whose clock this is to be. */
  env(): string[] {
    return ["env", `NODE_OPTIONS=--import=${PRELOAD}`, `CLOCK_OFFSET_FILE=${this.#file}`];
  }
}
