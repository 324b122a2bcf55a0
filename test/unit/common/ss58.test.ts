/**
 * Addresses of format 42: known ones both ways, and every near miss refused.
 */
import fc from "fast-check";
import { expect, test } from "vitest";

import { decodeSs58, encodeSs58 } from "../../../common/ss58.ts";

const ALICE = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";

test.each([
  [ALICE, "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d"],
  [
    "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty",
    "8eaf04151687736326c9fea17e25fc5287613693c912909cb226aa4794f26a48",
  ],
  ["5C4hrfjw9DjXZTzV3MwzrrAr9P1MJhSrvWGWqi1eSuyUpnhM", "00".repeat(32)],
])("%s stands for its key, and the key for it", (address, key) => {
  expect(Buffer.from(decodeSs58(address) ?? []).toString("hex")).toBe(key);
  expect(encodeSs58(Buffer.from(key, "hex"))).toBe(address);
});

test("any key comes back from its address", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (key) => {
      return Buffer.from(decodeSs58(encodeSs58(key)) ?? []).equals(key);
    }),
  );
});

test("an address with any character changed is refused", () => {
  const digits = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz0OIl";
  fc.assert(
    fc.property(fc.nat(ALICE.length - 1), fc.constantFrom(...digits.split("")), (at, digit) => {
      const changed = ALICE.slice(0, at) + digit + ALICE.slice(at + 1);
      return changed === ALICE || decodeSs58(changed) === undefined;
    }),
    { numRuns: 1000 },
  );
});

test.each([
  ["nothing", ""],
  ["an address of Polkadot", "15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5"],
  ["an address of format 41", "5B5Hfagqhhers2rXFKjPSKF1Rd4bBEfJBi9Pahy5LRfqdc2h"],
  ["an address of format 43", "5NecBZmeUHQKB9fT4PVSC7mribMBHbvLZbFep5FgG8rpCNS2"],
  ["an address of Kusama", "HNZata7iMYWmk5RvZRTiAsSDhV8366zq2YGb3tLH5Upf74F"],
  ["an address cut short", ALICE.slice(0, -1)],
  ["an address with more", `${ALICE}1`],
  ["a blank after it", `${ALICE} `],
  ["a line break after it", `${ALICE}\n`],
  ["the hexadecimal key", "0xd43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d"],
])("%s is no address", (_, text) => {
  expect(decodeSs58(text)).toBeUndefined();
});
