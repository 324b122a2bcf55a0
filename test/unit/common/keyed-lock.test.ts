/** One holder per key, first come first served, and nobody is held up by one who gave up. */
import { setImmediate as settle } from "node:timers/promises";

import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { createKeyedLock } from "../../../common/keyed-lock.ts";

const never = new AbortController().signal;

/** Work that begins when its turn comes and ends when the test says so. */
function heldWork(name: string, seen: string[]) {
  const { promise, resolve: finish, reject: fail } = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const work = async (): Promise<string> => {
    seen.push(name);
    begun.resolve();
    await promise;
    return name;
  };
  return { work, finish, fail, begun: begun.promise };
}

describe("a keyed lock", () => {
  it("serves those who wait in the order they came", async () => {
    const lock = createKeyedLock();
    const seen: string[] = [];
    const [a, b, c] = [heldWork("a", seen), heldWork("b", seen), heldWork("c", seen)];
    const all = [a, b, c].map(({ work }) => lock.run("key", work, never));

    await a.begun;
    expect(seen).toEqual(["a"]);
    b.finish();
    c.finish();
    a.finish();

    expect(await Promise.all(all)).toEqual(["a", "b", "c"]);
    expect(seen).toEqual(["a", "b", "c"]);
  });

  it("lets different keys run side by side", async () => {
    const lock = createKeyedLock();
    const seen: string[] = [];
    const [a, b] = [heldWork("a", seen), heldWork("b", seen)];
    const first = lock.run("one", a.work, never);
    const second = lock.run("two", b.work, never);

    await Promise.all([a.begun, b.begun]);
    a.finish();
    b.finish();

    expect(await Promise.all([first, second])).toEqual(["a", "b"]);
  });

  it("passes on the error of the work and frees the key", async () => {
    const lock = createKeyedLock();

    await expect(lock.run("key", () => Promise.reject(new Error("broken")), never)).rejects.toThrow("broken");

    expect(await lock.run("key", () => Promise.resolve("next"), never)).toBe("next");
  });

  it("one who gives up while waiting is answered at once and never runs", async () => {
    const lock = createKeyedLock();
    const seen: string[] = [];
    const [a, b, c] = [heldWork("a", seen), heldWork("b", seen), heldWork("c", seen)];
    const abort = new AbortController();
    const first = lock.run("key", a.work, never);
    const second = lock.run("key", b.work, abort.signal);
    const third = lock.run("key", c.work, never);

    abort.abort(new Error("enough"));
    await expect(second).rejects.toThrow("enough");
    expect(seen).toEqual(["a"]);

    c.finish();
    a.finish();
    expect(await Promise.all([first, third])).toEqual(["a", "c"]);
  });

  it("an abort does not let the next in while the holder still works", async () => {
    const lock = createKeyedLock();
    const seen: string[] = [];
    const [a, b] = [heldWork("a", seen), heldWork("b", seen)];
    const abort = new AbortController();
    const first = lock.run("key", a.work, abort.signal);
    const second = lock.run("key", b.work, never);
    await a.begun;

    abort.abort(new Error("too late"));
    await Promise.resolve();
    expect(seen).toEqual(["a"]);

    a.finish();
    b.finish();
    expect(await Promise.all([first, second])).toEqual(["a", "b"]);
  });

  it("forgets a key that nobody holds", async () => {
    const lock = createKeyedLock();
    const held = heldWork("a", []);
    const running = lock.run("key", held.work, never);
    expect(lock.isBusy("key")).toBe(true);

    held.finish();
    await running;
    await settle();

    expect(lock.isBusy("key")).toBe(false);
  });

  it("never has two holders of one key, whatever comes, fails or gives up", async () => {
    const visitor = fc.record({
      key: fc.constantFrom("a", "b"),
      turns: fc.nat(3),
      fails: fc.boolean(),
      leaves: fc.nat(6),
    });

    await fc.assert(
      fc.asyncProperty(fc.array(visitor, { maxLength: 12 }), async (visitors) => {
        const lock = createKeyedLock();
        const holding = new Map<string, number>();
        const visits = visitors.map(async ({ key, turns, fails, leaves }) => {
          const abort = new AbortController();
          const visit = lock.run(
            key,
            async () => {
              holding.set(key, (holding.get(key) ?? 0) + 1);
              expect(holding.get(key)).toBe(1);
              for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
              holding.set(key, 0);
              if (fails) throw new Error("broken");
            },
            abort.signal,
          );
          const settled = visit.catch(() => undefined);
          for (let turn = 0; turn < leaves; turn += 1) await Promise.resolve();
          if (leaves < 4) abort.abort(new Error("gone"));
          await settled;
        });
        await Promise.all(visits);
        await settle();

        expect([lock.isBusy("a"), lock.isBusy("b")]).toEqual([false, false]);
      }),
    );
  });
});
