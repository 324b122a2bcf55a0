/**
 * Paths inside compiled programs: replaced whole or not at all.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { replaceText } from "../../../../executor/ssh/replace-text.ts";

const bytes = (text: string): Buffer => Buffer.from(text, "latin1");

describe("replaceText", () => {
  it("replaces a whole text and fills it up with NULs", () => {
    expect(replaceText(bytes("a\0/etc/passwd\0b"), "/etc/passwd", "/x/pw")).toEqual(bytes("a\0/x/pw\0\0\0\0\0\0\0b"));
  });

  it("replaces every occurrence, also neighbours that share a NUL", () => {
    expect(replaceText(bytes("\0old\0old\0"), "old", "new")).toEqual(bytes("\0new\0new\0"));
  });

  it.each([
    { what: "is the end of a longer text", text: "\0/usr/etc/passwd\0" },
    { what: "is the start of a longer text", text: "\0/etc/passwd.lock\0" },
    { what: "is nowhere", text: "\0/etc/shadow\0" },
  ])("finds nothing where the text $what", ({ text }) => {
    expect(replaceText(bytes(text), "/etc/passwd", "/x/pw")).toBeUndefined();
  });

  it("refuses a text that would run into what follows", () => {
    expect(() => replaceText(bytes("\0abc\0"), "abc", "abcd")).toThrow(RangeError);
  });

  it("keeps the length and every byte outside of the text, and leaves its input alone", () => {
    const surroundings = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array));
    fc.assert(
      fc.property(surroundings, surroundings, (before, after) => {
        const input = Buffer.concat([before, bytes("\0/etc/shells\0"), after]);
        const original = Buffer.from(input);

        const output = replaceText(input, "/etc/shells", "/k/sh");

        expect(input).toEqual(original);
        expect(output).toEqual(Buffer.concat([before, bytes("\0/k/sh\0\0\0\0\0\0\0"), after]));
      }),
    );
  });
});
