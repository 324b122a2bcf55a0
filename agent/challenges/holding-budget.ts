/**
 * How long each validator may keep a host's GPUs from renters: ten minutes in an hour, which come back evenly. Pure, but for what it
 * remembers.
 */
const BUDGET_MS = 600_000;
const HOUR_MS = 3_600_000;

interface Spent {
  readonly ms: number;
  readonly atMs: number;
}

export class HoldingBudget {
  readonly #spent = new Map<string, Spent>();

  /** How long `who` has to wait until it may hold them again; 0 when it may now. Times are readings of one steady clock. */
  waitMs(who: string, nowMs: number): number {
    const overMs = this.#spentBy(who, nowMs) - BUDGET_MS;
    return overMs < 0 ? 0 : Math.ceil(((overMs + 1) * HOUR_MS) / BUDGET_MS);
  }

  /** Counts a holding that has ended; one that is longer than what was left is made up for by a longer wait. */
  spend(who: string, heldMs: number, nowMs: number): void {
    for (const other of this.#spent.keys()) if (this.#spentBy(other, nowMs) === 0) this.#spent.delete(other);
    this.#spent.set(who, { ms: this.#spentBy(who, nowMs) + heldMs, atMs: nowMs });
  }

  #spentBy(who: string, nowMs: number): number {
    const spent = this.#spent.get(who);
    if (spent === undefined) return 0;
    return Math.max(0, spent.ms - ((nowMs - spent.atMs) * BUDGET_MS) / HOUR_MS);
  }
}
