/**
 * Children that were killed and do not go. While there is one, none of its kind is started: a sick driver would hold them all,
 * and they would pile up by the hundred.
 */
import type { Clock } from "../../../common/clock.ts";
import type { ProcessGroups } from "./groups.ts";

const LOOK_EVERY_MS = 20;
const USUAL_END_MS = 500;

export interface Survivor {
  readonly pid: number;
  readonly what: string;
}

export class DoomedChildren {
  readonly #groups: ProcessGroups;
  readonly #clock: Clock;
  #survivors: Survivor[] = [];

  constructor({ groups, clock }: { readonly groups: ProcessGroups; readonly clock: Clock }) {
    this.#groups = groups;
    this.#clock = clock;
  }

  /** One that still has not gone; undefined when a child may be started. */
  get survivor(): Survivor | undefined {
    this.#survivors = this.#survivors.filter(({ pid }) => !this.#groups.isGone(pid));
    return this.#survivors[0];
  }

  /** Kills the group of `child` and waits for the short while that it takes to go, unless the kernel holds it. */
  async end(child: Survivor): Promise<void> {
    this.#groups.kill(child.pid);
    this.#survivors.push(child);
    const end = this.#clock.monotonic() + USUAL_END_MS;
    while (this.survivor !== undefined && this.#clock.monotonic() < end) {
      await this.#clock.sleep(LOOK_EVERY_MS, new AbortController().signal);
    }
  }
}

export function survivorText({ pid, what }: Survivor): string {
  return `${what} (process ${pid}) hangs in the driver and cannot be killed.`;
}
