/** Who is permitted, by the rule and by what was last known, over restarts and bad answers. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { KnownValidators } from "../../../../agent/chain/known-validators.ts";
import { judge } from "../../../../agent/chain/permits.ts";
import { servedValidators } from "../../../../agent/chain/served.ts";
import { Hotkey } from "../../../../protocol/ids.ts";
import { metagraph, neuron } from "../../../support/chain/fake-chain.ts";

const ALICE = Hotkey.parse("5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY");
const BOB = Hotkey.parse("5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty");
const RULE = { minStakeTao: 20_000, only: [], deny: [] };
const ENOUGH = 20_000n * 10n ** 9n;
const HOUR = 3_600_000;

let folder: string;
let path: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "lium-known-"))));
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(({ task }) => void (path = join(folder, `${task.id}.json`)));

function known(change: Partial<ConstructorParameters<typeof KnownValidators>[0]> = {}): KnownValidators {
  return new KnownValidators({ path, network: "finney", netuid: 51, rule: RULE, ...change });
}

const now = metagraph({
  neurons: [
    neuron(0, { hotkey: ALICE, validatorPermit: true, stakeRao: ENOUGH }),
    neuron(1, { hotkey: BOB, validatorPermit: false, stakeRao: ENOUGH * 9n }),
  ],
});

describe("the rule", () => {
  const holder = { hotkey: ALICE, uid: 0, stakeRao: ENOUGH };

  it("counts stake in TAO, to the last rao", () => {
    expect(judge(holder, RULE)).toBe("permitted");
    expect(judge({ ...holder, stakeRao: ENOUGH - 1n }, RULE)).toBe("too-little-stake");
  });

  it("lets the lists go first: who is denied is denied, and with a list of some nobody else is served", () => {
    expect(judge(holder, { ...RULE, deny: [ALICE], only: [ALICE] })).toBe("denied");
    expect(judge(holder, { ...RULE, only: [BOB] })).toBe("not-listed");
    expect(judge(holder, { ...RULE, only: [ALICE, BOB] })).toBe("permitted");
  });
});

describe("the validators last known", () => {
  it("are those with a permit, and nobody before the chain was read", async () => {
    const validators = known();
    expect(validators.permitted(ALICE)).toBe(false);

    await validators.update(now, 5);

    expect([ALICE, BOB].map((hotkey) => validators.permitted(hotkey))).toEqual([true, false]);
  });

  it("are there again after a restart, by the rule that holds then", async () => {
    await known().update(now, 5);
    const [again, denying] = [known(), known({ rule: { ...RULE, deny: [ALICE] } })];

    expect(await again.load()).toBe(true);
    await denying.load();

    expect(again.known).toEqual({ block: 1_000, readAtMs: 5, holders: [{ hotkey: ALICE, uid: 0, stakeRao: ENOUGH }] });
    expect(again.permitted(ALICE)).toBe(true);
    expect(denying.permitted(ALICE)).toBe(false);
  });

  it.each([{ network: "test" }, { netuid: 12 }])("of another subnet are not taken over: %j", async (other) => {
    await known().update(now, 5);
    const validators = known(other);

    expect(await validators.load()).toBe(false);
    expect(validators.permitted(ALICE)).toBe(false);
  });

  it("are nobody when the file is damaged, which is said", async () => {
    await known().update(now, 5);
    writeFileSync(path, readFileSync(path, "utf8").slice(0, -20));
    const validators = known();

    expect(await validators.load()).toBe(false);
    expect(validators.known).toBeUndefined();
  });

  it("stay when a node says that there are none", async () => {
    const validators = known();
    await validators.update(now, 5);

    const update = validators.update(metagraph({ block: 2_000 }), 6);

    await expect(update).rejects.toMatchObject({ code: "chain-unreachable" });
    expect(validators.permitted(ALICE)).toBe(true);
  });

  it("stay when a node lags behind, but not for ever", async () => {
    const validators = known();
    await validators.update(now, 5);
    const before = {
      ...now,
      block: 900,
      neurons: [neuron(7, { hotkey: BOB, validatorPermit: true, stakeRao: ENOUGH })],
    };

    await expect(validators.update(before, HOUR)).rejects.toMatchObject({ code: "chain-unreachable" });
    expect(validators.permitted(ALICE)).toBe(true);
    await validators.update(before, HOUR + 5);
    expect(validators.permitted(ALICE)).toBe(false);
  });
});

describe("who is served", () => {
  const served = servedValidators({
    allow: [{ hotkey: BOB, scheme: "ed25519" }],
    deny: [],
    chain: { permitted: (hotkey) => hotkey === ALICE },
  });

  it("is whom the operator names, with its scheme, and whom the chain permits, with sr25519", () => {
    expect([BOB, ALICE].map((hotkey) => served.get(hotkey))).toEqual(["ed25519", "sr25519"]);
    expect(served.get(Hotkey.parse("5DfhGyQdFobKM8NsWvEeAKk5EQQgYe9AydgJ7rMB6E1EqRzV"))).toBeUndefined();
  });

  it("is not whom the operator denies, whoever permits it", () => {
    const denying = servedValidators({
      allow: [{ hotkey: BOB, scheme: "ed25519" }],
      deny: [ALICE, BOB],
      chain: { permitted: () => true },
    });

    expect([BOB, ALICE].map((hotkey) => denying.get(hotkey))).toEqual([undefined, undefined]);
  });
});
