/**
 * What this host is now, for everybody who tells it on: one value, and a word to the listeners when it has changed.
 */
import type { ErrorCode } from "../../protocol/errors.ts";
import type { HostFacts, HostProblem } from "../../protocol/host.ts";

export class CurrentFacts {
  readonly #listeners = new Set<() => void>();
  #facts: HostFacts;

  constructor(facts: HostFacts) {
    this.#facts = facts;
  }

  get value(): HostFacts {
    return this.#facts;
  }

  /** Told after each change, until the returned function is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  update(change: Partial<HostFacts>): void {
    const next = { ...this.#facts, ...change };
    if (JSON.stringify(next) === JSON.stringify(this.#facts)) return;
    this.#facts = next;
    for (const listener of this.#listeners) listener();
  }

  /** A problem that is known already keeps its `since`; `at` is milliseconds since the epoch. */
  raise(code: ErrorCode, message: string, at: number): void {
    const known = this.#facts.problems.find((problem) => problem.code === code);
    const problem: HostProblem = { code, message, since: known?.since ?? new Date(at).toISOString() };
    this.update({ problems: [...this.#facts.problems.filter((other) => other.code !== code), problem] });
  }

  clear(code: ErrorCode): void {
    this.update({ problems: this.#facts.problems.filter((problem) => problem.code !== code) });
  }
}
