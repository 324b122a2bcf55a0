/**
 * Following events misses none, whenever they are stored, and leaves nothing behind when it ends.
 */
import { describe, expect, it } from "vitest";

import { followEvents } from "../../../../agent/fleet/follow-events.ts";
import { Watchers } from "../../../../agent/fleet/watchers.ts";
import type { PodEvent } from "../../../../protocol/pod.ts";
import { podEvent } from "../../../support/agent-builders.ts";
import { podId } from "../../../support/builders.ts";

describe("following events", () => {
  it("sees an event that is stored while the store is being read", async () => {
    const watchers = new Watchers();
    const stored: PodEvent[] = [];
    let reads = 0;
    const store = {
      eventsOf: async (_: unknown, after: number) => {
        const found = stored.filter(({ cursor }) => cursor > after);
        reads += 1;
        if (reads === 1) {
          stored.push(podEvent(1));
          watchers.tell(podId(1));
        }
        return found;
      },
    };
    const follower = followEvents(
      { podId: podId(1), after: 0, follow: true },
      { store, watchers, signal: new AbortController().signal },
    );

    expect(await follower.next()).toEqual({ done: false, value: podEvent(1) });
  });

  it("ends without waiting when the signal aborts during a read", async () => {
    const patience = new AbortController();
    const store = {
      eventsOf: async () => {
        patience.abort();
        return [];
      },
    };

    const follower = followEvents(
      { podId: podId(1), after: 0, follow: true },
      { store, watchers: new Watchers(), signal: patience.signal },
    );

    expect(await follower.next()).toEqual({ done: true, value: undefined });
  });
});
