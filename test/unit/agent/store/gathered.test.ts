/** Everybody gets the answer to what they asked, and those of one turn cost one piece of work. */
import { describe, expect, it } from "vitest";

import { Gathered } from "../../../../agent/store/gathered.ts";

describe("gathered work", () => {
  it("is done at once for all of a turn, and each gets their own answer", async () => {
    const batches: number[][] = [];
    const gathered = new Gathered<number, number>(async (items) => {
      batches.push([...items]);
      return items.map((item) => 2 * item);
    });

    const first = await Promise.all([gathered.ask(1), gathered.ask(2), gathered.ask(3)]);
    const second = await gathered.ask(4);

    expect([first, second]).toEqual([[2, 4, 6], 8]);
    expect(batches).toEqual([[1, 2, 3], [4]]);
  });

  it("that fails, fails for all who waited and for nobody after", async () => {
    let fails = true;
    const gathered = new Gathered<number, number>(async (items) => {
      if (fails) throw new Error("no room");
      return items;
    });

    const outcomes = await Promise.allSettled([gathered.ask(1), gathered.ask(2)]);
    fails = false;

    expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(await gathered.ask(3)).toBe(3);
  });
});
