/**
 * What every Store must do. The memory store of the tests and the SQLite store both pass it.
 */
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import type { NewEvent, Store } from "../../agent/store/store.ts";
import { hostFacts, hostId, hostRecord, podEvent, podRecord, podStatus } from "../support/agent-builders.ts";
import { podId, T0, wantedPod } from "../support/builders.ts";

const HOTKEY = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
const AUDIT = { at: new Date(T0).toISOString(), who: HOTKEY, action: "create", subject: podId(1), outcome: "done" };

function newEvent(cursor: number, from?: NewEvent["from"]): NewEvent {
  const { cursor: _, ...event } = podEvent(cursor);
  return { event, ...(from === undefined ? {} : { from }) };
}

export function storeCompliance(open: () => Promise<Store>): void {
  describe("a store", () => {
    let store: Store;

    beforeEach(async () => {
      store = await open();
    });

    afterEach(async () => {
      await store.close();
    });

    it("gives back hosts and pods as they were written last", async () => {
      const host = hostRecord({ lastSeenAt: new Date(T0).toISOString(), eventCursor: 7 });
      const pod = podRecord({
        wanted: wantedPod({ revision: 2 }),
        idempotency: { key: "k", requestHash: "h" },
        status: podStatus("running", { timelineMs: { started: 12.5 } }),
      });

      await store.write({ hosts: [hostRecord({ facts: undefined })], pods: [podRecord()] });
      await store.write({ hosts: [host], pods: [pod] });

      expect(await store.load()).toEqual({ hosts: [host], pods: [pod], damaged: [] });
    });

    it("writes all of a change or nothing", async () => {
      const idempotency = { key: "k", requestHash: "h" };
      await store.write({ pods: [podRecord({ idempotency })] });

      const rival = podRecord({ wanted: wantedPod({ podId: podId(2) }), idempotency });
      const write = store.write({ hosts: [hostRecord()], pods: [rival], events: [newEvent(1)], audit: [AUDIT] });

      await expect(write).rejects.toBeInstanceOf(Error);
      const { hosts, pods } = await store.load();
      expect({ hosts, pods: pods.length }).toEqual({ hosts: [], pods: 1 });
      expect(await store.eventsOf(podId(1), 0, 10)).toEqual([]);
      expect(await store.readAudit(10)).toEqual([]);
    });

    it("gives events of one pod after a cursor, in order, as many as asked for", async () => {
      const other = podEvent(3, { podId: podId(2) });
      await store.write({ events: [newEvent(1), { event: other }, newEvent(2), newEvent(3)] });

      const all = await store.eventsOf(podId(1), 0, 10);
      const first = await store.eventsOf(podId(1), 0, 1);
      const rest = await store.eventsOf(podId(1), first[0]?.cursor ?? 0, 10);

      expect(all.map(({ message }) => message)).toEqual(["The event 1.", "The event 2.", "The event 3."]);
      expect([...first, ...rest]).toEqual(all);
      expect(all.every(({ cursor }, index) => cursor > (all[index - 1]?.cursor ?? 0))).toBe(true);
    });

    it("stores an event of a host once, however often it is told", async () => {
      const told = newEvent(1, { hostId: hostId(1), cursor: 1 });

      await store.write({ events: [told, told] });
      await store.write({ events: [told, newEvent(2, { hostId: hostId(2), cursor: 1 })] });

      const events = await store.eventsOf(podId(1), 0, 10);
      expect(events.map(({ message }) => message)).toEqual(["The event 1.", "The event 2."]);
    });

    it("lets one of many enrol with one token, and stores only that host", async () => {
      await store.addJoinToken({ secretHash: "hash", expiresAtMs: T0 + 1000 });
      const rivals = Array.from({ length: 5 }, (_, n) =>
        hostRecord({ hostId: hostId(n), publicKey: `key ${n}`, facts: hostFacts() }),
      );

      const results = await Promise.all(rivals.map((host) => store.enrol(host, "hash", T0)));

      expect(results.filter(Boolean)).toHaveLength(1);
      expect((await store.load()).hosts).toHaveLength(1);
    });

    it("refuses a token that is unknown or has expired", async () => {
      await store.addJoinToken({ secretHash: "hash", expiresAtMs: T0 });

      expect(await store.enrol(hostRecord(), "other", T0 - 1)).toBe(false);
      expect(await store.enrol(hostRecord(), "hash", T0)).toBe(false);
      expect((await store.load()).hosts).toEqual([]);
    });

    it("remembers a nonce of 64 bits once for each hotkey", async () => {
      const nonce = 2n ** 64n - 1n;

      const answers = [
        await store.remember(HOTKEY, nonce, T0),
        await store.remember(HOTKEY, nonce, T0),
        await store.remember(HOTKEY, nonce - 1n, T0),
        await store.remember("another hotkey", nonce, T0),
      ];

      expect(answers).toEqual([true, false, true, true]);
    });

    it("lets one of many with the same nonce through", async () => {
      const answers = await Promise.all(Array.from({ length: 20 }, () => store.remember(HOTKEY, 5n, T0)));

      expect(answers.filter(Boolean)).toHaveLength(1);
    });

    it("forgets nonces and tokens when they expire, and not before", async () => {
      await store.remember(HOTKEY, 1n, T0);
      await store.remember(HOTKEY, 2n, T0 + 1);
      await store.addJoinToken({ secretHash: "kept", expiresAtMs: T0 + 1 });

      await store.prune(T0);

      expect(await store.remember(HOTKEY, 1n, T0)).toBe(true);
      expect(await store.remember(HOTKEY, 2n, T0)).toBe(false);
      expect(await store.enrol(hostRecord(), "kept", T0)).toBe(true);
    });

    it("shows the newest audit entries first", async () => {
      await store.write({ audit: [AUDIT, { ...AUDIT, action: "stop" }] });
      await store.write({ audit: [{ ...AUDIT, action: "terminate" }] });

      expect((await store.readAudit(2)).map(({ action }) => action)).toEqual(["terminate", "stop"]);
    });
  });
}
