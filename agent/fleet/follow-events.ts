/**
 * The events of a pod from the store, one after the other, and on request also those that are still to come.
 */
import type { PodId } from "../../protocol/ids.ts";
import type { PodEvent } from "../../protocol/pod.ts";
import type { Store } from "../store/store.ts";
import type { Watchers } from "./watchers.ts";

const BATCH = 500;

export interface FollowDeps {
  readonly store: Pick<Store, "eventsOf">;
  readonly watchers: Watchers;
  readonly signal: AbortSignal;
}

/** Ends when there are no more, or, following, when the signal aborts. */
export async function* followEvents(
  { podId, after, follow }: { readonly podId: PodId; readonly after: number; readonly follow: boolean },
  { store, watchers, signal }: FollowDeps,
): AsyncGenerator<PodEvent> {
  let changed = Promise.withResolvers<void>();
  const wake = (): void => changed.resolve();
  const unwatch = watchers.on(podId, wake);
  signal.addEventListener("abort", wake, { once: true });
  try {
    for (let cursor = after; !signal.aborted;) {
      // Renewed before reading: what is stored while we read wakes us again.
      changed = Promise.withResolvers();
      const batch = await store.eventsOf(podId, cursor, BATCH);
      yield* batch;
      cursor = batch.at(-1)?.cursor ?? cursor;
      if (batch.length > 0) continue;
      if (!follow) return;
      if (!signal.aborted) await changed.promise;
    }
  } finally {
    unwatch();
    signal.removeEventListener("abort", wake);
  }
}
