/** What nodes answer, in our words: metagraphs that are whole, and refusals in both forms. */
import { describe, expect, it } from "vitest";

import { createEndpoints } from "../../../../../agent/chain/subtensor/endpoints.ts";
import { metagraphOf } from "../../../../../agent/chain/subtensor/metagraph.ts";
import { customNumberIn, refusalOf } from "../../../../../agent/chain/subtensor/refusals.ts";
import { FakeClock } from "../../../../support/fake-clock.ts";

const ALICE = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
const ANSWER = {
  netuid: 51,
  block: 5_000_000,
  tempo: 360,
  servingRateLimit: 50,
  hotkeys: [ALICE],
  axons: [
    { block: 7, version: 9_009_000, ip: "0x20010db8000000000000000000000001", port: 8091, ipType: 6, protocol: 4 },
  ],
  validatorPermit: [true],
  emission: ["0x01b69b4bacd05f15"],
  incentives: [],
  blockAtRegistration: [4],
  totalStake: [5],
  weightsVersion: null,
};

describe("an answer with a metagraph", () => {
  it("is read with large numbers exact and addresses as text", () => {
    expect(metagraphOf(ANSWER, 51).neurons).toEqual([
      {
        uid: 0,
        hotkey: ALICE,
        validatorPermit: true,
        stakeRao: 5n,
        emissionRao: 123_456_789_123_456_789n,
        incentive: 0,
        registeredAtBlock: 4,
        axon: { block: 7, version: 9_009_000, ip: "2001:db8:0:0:0:0:0:1", port: 8091, ipType: 6, protocol: 4 },
      },
    ]);
  });

  it.each([
    ["nothing", null],
    ["another subnet", { ...ANSWER, netuid: 1 }],
    ["a list cut short", { ...ANSWER, validatorPermit: [] }],
    ["a hotkey that is none", { ...ANSWER, hotkeys: ["5x"] }],
    ["a missing field", { ...ANSWER, totalStake: null }],
    ["a negative stake", { ...ANSWER, totalStake: [-1] }],
  ])("that is %s is refused", (_, answer) => {
    expect(() => metagraphOf(answer, 51)).toThrow(expect.objectContaining({ code: "chain-unreachable" }));
  });
});

describe("a refusal", () => {
  it.each([
    ["1010: Invalid Transaction: Custom error: 12", 12],
    ["1010: Invalid Transaction: InvalidTransaction::Custom(10)", 10],
    ["1010: Invalid Transaction: Transaction has a bad signature", undefined],
  ])("by the pool: %s", (message, number) => {
    expect(customNumberIn(message)).toBe(number);
  });

  it.each([
    [{ custom: 12, message: "" }, "too-soon"],
    [{ module: "subtensorModule.ServingRateLimitExceeded", message: "" }, "too-soon"],
    [{ custom: 10, message: "" }, "not-registered"],
    [{ module: "subtensorModule.HotKeyNotRegisteredInNetwork", message: "" }, "not-registered"],
    [{ custom: 13, message: "" }, "bad-address"],
    [{ custom: 200, message: "no idea" }, "other"],
    [{ message: "BadOrigin" }, "other"],
  ])("%j means %s", (refusal, reason) => {
    expect(refusalOf(refusal)).toMatchObject({ code: "chain-refused", details: { reason } });
  });
});

it("a node that failed is asked last for ten minutes", async () => {
  const clock = new FakeClock();
  const endpoints = createEndpoints(["a", "b", "c"], clock);

  endpoints.failed("a");

  expect(endpoints.ordered()).toEqual(["b", "c", "a"]);
  await clock.advance(600_001);
  expect(endpoints.ordered()).toEqual(["a", "b", "c"]);
});
