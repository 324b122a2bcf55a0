/** What is asked of a volume, and what is refused before anything is done. */
import { describe, expect, it } from "vitest";

import { bookedFor, checkKey, newRecord } from "../../../../../executor/storage/volumes/order.ts";
import { volumeIdOf } from "../../../../../executor/storage/volumes/record.ts";
import { Hotkey } from "../../../../../protocol/ids.ts";
import { OWNER, T0 } from "../../../../support/builders.ts";

const GIB = 2 ** 30;
const KEY = Buffer.alloc(32, 1);
const beginning = { defaultBytes: 10 * GIB, host: "this host", nowMs: T0 };
const order = { owner: Hotkey.parse(OWNER), name: "data" };

describe("the identity of a volume", () => {
  it("is the owner's and the name's: neither shares it with another", () => {
    const other = Hotkey.parse("5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty");

    const ids = [volumeIdOf(order.owner, "data"), volumeIdOf(order.owner, "data2"), volumeIdOf(other, "data")];

    expect(new Set(ids).size).toBe(3);
    expect(volumeIdOf(order.owner, "data")).toBe(ids[0]);
  });
});

describe("a new volume", () => {
  it("has the size that was asked for, else the host's default, and books all that it can take", () => {
    const [small, usual] = [newRecord({ ...order, sizeBytes: GIB }, beginning), newRecord(order, beginning)];

    expect([small.sizeBytes, usual.sizeBytes]).toEqual([GIB, 10 * GIB]);
    expect(bookedFor(small)).toBe(small.filledBytes);
    expect(bookedFor({ ...small, sizeBytes: 2 * GIB })).toBeGreaterThan(2 * GIB);
  });

  it.each([[15], [257], [0]])("takes no key of %i bytes", (length) => {
    const key = Buffer.alloc(length);

    expect(() => newRecord({ ...order, key }, beginning)).toThrow("16 to 256 bytes");
  });
});

describe("a key", () => {
  const encrypted = newRecord({ ...order, key: KEY }, beginning);
  const clear = newRecord(order, beginning);

  it("is asked for by an encrypted volume, and refused by one that is not", () => {
    expect(() => checkKey(encrypted, undefined)).toThrow(expect.objectContaining({ code: "volume-key-missing" }));
    expect(() => checkKey(clear, KEY)).toThrow(expect.objectContaining({ code: "volume-key-wrong" }));
    expect(() => checkKey(encrypted, KEY)).not.toThrow();
    expect(() => checkKey(clear, undefined)).not.toThrow();
  });
});
