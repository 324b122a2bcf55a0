/**
 * Who wants to hear when something of a pod has changed. Listeners look for themselves at what it is.
 */
import type { PodId } from "../../protocol/ids.ts";

export class Watchers {
  readonly #listeners = new Map<PodId, Set<() => void>>();

  /** Calls `listener` after every change until the returned function is called. */
  on(podId: PodId, listener: () => void): () => void {
    const listeners = this.#listeners.get(podId) ?? new Set();
    this.#listeners.set(podId, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) this.#listeners.delete(podId);
    };
  }

  tell(podId: PodId): void {
    for (const listener of this.#listeners.get(podId) ?? []) listener();
  }
}
