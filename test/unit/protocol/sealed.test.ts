/**
 * The shape of a sealed secret: sizes and canonical base64, before anybody tries to open it.
 */
import { describe, expect, test } from "vitest";

import { MAX_SECRET_BYTES, Sealed } from "../../../protocol/sealed.ts";

function base64(bytes: number): string {
  return Buffer.alloc(bytes, 0xa5).toString("base64");
}

describe("what is taken", () => {
  test.each([
    ["an empty secret", 72],
    ["a short secret", 73],
    ["the longest secret", 72 + MAX_SECRET_BYTES],
  ])("%s", (_, bytes) => {
    const sealed = { to: base64(32), box: base64(bytes) };

    expect(Sealed.parse(sealed)).toEqual(sealed);
  });

  test("64 KiB in all", () => {
    expect(72 + MAX_SECRET_BYTES).toBe(65_536);
  });
});

describe("what is refused", () => {
  test.each([
    ["a key of 31 bytes", base64(31), base64(72), "to"],
    ["a key of 33 bytes", base64(33), base64(72), "to"],
    ["a key in hexadecimal", "a5".repeat(32), base64(72), "to"],
    ["a key without padding", base64(32).replace("=", ""), base64(72), "to"],
    ["a key with a line break", `${base64(32)}\n`, base64(72), "to"],
    ["a key with stray bits", base64(32).replace(/.=$/, "V="), base64(72), "to"],
    ["a box without a tag", base64(32), base64(71), "box"],
    ["a box beyond 64 KiB", base64(32), base64(72 + MAX_SECRET_BYTES + 1), "box"],
    ["a box in base64 of URLs", base64(32), base64(72).replace("p", "_"), "box"],
    ["a box with blanks", base64(32), ` ${base64(72)}`, "box"],
  ])("%s", (_, to, box, field) => {
    expect(Sealed.safeParse({ to, box }).error?.issues[0]?.path).toEqual([field]);
  });

  test("a field that is not known", () => {
    expect(Sealed.safeParse({ to: base64(32), box: base64(72), nonce: "" }).success).toBe(false);
  });
});
