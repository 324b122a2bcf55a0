/** The agent's part in the chain with a chain in memory: validators are served whatever the chain does. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { ChainConfig } from "../../../../agent/chain/config.ts";
import { startChain } from "../../../../agent/chain/start.ts";
import { devHotkey, initHotkeys } from "../../../../common/hotkey.ts";
import { ChainStatus } from "../../../../protocol/chain-view.ts";
import { Hotkey } from "../../../../protocol/ids.ts";
import { FakeChain, metagraph, neuron } from "../../../support/chain/fake-chain.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { loggerToMemory } from "../../../support/memory-log.ts";

const ALICE = Hotkey.parse("5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY");
const REFRESH_MS = 300_000;
const VALIDATOR = { hotkey: ALICE, validatorPermit: true, stakeRao: 30_000n * 10n ** 9n };

let stateDir: string;
let clock: FakeClock;
let chain: FakeChain;
let own: Hotkey;
let ends: (() => Promise<void>)[];
beforeEach(async () => {
  await initHotkeys();
  stateDir = mkdtempSync(join(tmpdir(), "lium-chain-"));
  clock = new FakeClock();
  own = Hotkey.parse(devHotkey("//Alice//hot").ss58);
  const earning = { incentive: 0.25, emissionRao: 2_000_000_000n };
  const others = [neuron(2, { incentive: 0.5 }), neuron(3)];
  const neurons = [neuron(0, VALIDATOR), neuron(1, { hotkey: own, ...earning }), ...others];
  chain = new FakeChain(metagraph({ neurons }), own);
  ends = [];
});
afterEach(async () => {
  for (const end of ends) await end();
  rmSync(stateDir, { recursive: true });
});

async function start(config: unknown = {}, validatorUrl = "http://203.0.113.7:8091") {
  const closing = new AbortController();
  const parts: (() => Promise<void> | void)[] = [];
  const { log, logged } = loggerToMemory();
  const desk = await startChain({
    config: ChainConfig.parse(config),
    network: "finney",
    stateDir,
    hotkey: own,
    signer: devHotkey("//Alice//hot"),
    validatorUrl: () => validatorUrl,
    life: { signal: closing.signal, add: (_, close) => void parts.push(close) },
    clock,
    log,
    chain,
  });
  const close = async (): Promise<void> => {
    closing.abort();
    for (const part of parts) await part();
  };
  ends.push(close);
  return { desk, logged, close };
}

/** The first round is over. */
const settle = (): Promise<void> => clock.untilSleeping();

/** Lets the loop do its real work between the steps. */
async function pass(ms: number, stepMs: number): Promise<void> {
  for (let past = 0; past < ms; past += stepMs) {
    await clock.untilSleeping();
    await clock.advance(stepMs);
  }
}

describe("an agent on the chain", () => {
  it("serves those with a permit, announces itself once, and knows how it stands", async () => {
    const { desk } = await start();
    await settle();

    expect(desk.permitted(ALICE)).toBe(true);
    expect(chain.served).toEqual([{ ip: "203.0.113.7", port: 8091 }]);
    const status = ChainStatus.parse(desk.status());
    expect(status).toMatchObject({
      registered: true,
      axon: { wanted: "203.0.113.7:8091", onChain: "203.0.113.7:8091", state: "announced" },
      standing: { uid: 1, rank: 2, miners: 3, incentive: 0.25, alphaPerTempo: 2 },
      validators: { permitted: 1, known: 1 },
    });
    await pass(3 * REFRESH_MS, REFRESH_MS);
    expect(chain.served).toHaveLength(1);
    expect(desk.validators()).toEqual([{ hotkey: ALICE, uid: 0, stakeTao: 30_000, verdict: "permitted" }]);
  });

  it.each(["away", "hangs"] as const)(
    "serves the same validators while the chain %s, also after a restart",
    async (mood) => {
      const first = await start();
      await settle();
      chain.mood = mood;
      await clock.advance(10 * REFRESH_MS);
      expect(first.desk.permitted(ALICE)).toBe(true);
      await first.close();

      const second = await start();

      expect(second.desk.permitted(ALICE)).toBe(true);
      expect(second.desk.status().axon.state).toBe("unknown");
      expect(second.desk.status()).not.toHaveProperty("registered");
    },
  );

  it("says once that the chain is away, asks again and again with care, and says when it is back", async () => {
    chain.mood = "away";
    const { desk, logged } = await start();
    await pass(3_600_000, 30_000);
    const reads = chain.reads;

    expect(reads).toBeGreaterThan(10);
    expect(reads).toBeLessThan(30);
    expect(logged.filter((line) => line.includes("was not read"))).toHaveLength(1);
    expect(desk.status().readProblem).toMatchObject({ code: "chain-unreachable" });

    chain.mood = "well";
    await clock.advance(REFRESH_MS);
    await settle();
    expect(desk.permitted(ALICE)).toBe(true);
    expect(desk.status()).not.toHaveProperty("readProblem");
  });

  it("stops serving a validator that lost its permit", async () => {
    const { desk } = await start();
    await settle();
    chain.now = {
      ...chain.now,
      block: 2_000,
      neurons: [neuron(0, { validatorPermit: true }), ...chain.now.neurons.slice(1)],
    };

    await clock.advance(REFRESH_MS);
    await settle();

    expect(desk.permitted(ALICE)).toBe(false);
  });

  it("tries a refused announcement again later and later, and sooner when the operator asks", async () => {
    chain.mood = "refuses";
    const { desk, logged } = await start();
    await pass(4 * 3_600_000, REFRESH_MS);
    await settle();

    const tries = logged.filter((line) => line.includes("was not announced")).length;
    expect(tries).toBeGreaterThan(4);
    expect(tries).toBeLessThan(20);
    expect(desk.status().announceProblem).toMatchObject({ code: "chain-refused" });

    chain.mood = "well";
    expect((await desk.announce()).axon.state).toBe("announced");
    expect(desk.status()).not.toHaveProperty("announceProblem");
  });

  it("does not announce what the chain would refuse, and tells the operator why", async () => {
    const axon = { ip: "203.0.113.7", port: 1, version: 1, protocol: 4, block: 999 };
    chain.now = { ...chain.now, neurons: chain.now.neurons.map((each) => (each.uid === 1 ? { ...each, axon } : each)) };
    const { desk } = await start();
    await settle();

    expect(desk.status().axon.state).toBe("waiting");
    await expect(desk.announce()).rejects.toMatchObject({
      code: "chain-refused",
      details: { reason: "too-soon" },
    });
    expect(chain.served).toEqual([]);
  });

  it.each([
    ["a name", {}, "https://agent.example:8091"],
    ["loopback", {}, "http://127.0.0.1:8091"],
    ["all addresses", {}, "http://0.0.0.0:8091"],
    ["turned off", { announce: { enabled: false } }, "http://203.0.113.7:8091"],
  ])("announces nothing when its address is %s", async (_, config, url) => {
    const { desk } = await start(config, url);
    await settle();

    expect(desk.status().axon).toEqual({ state: "off" });
    expect(chain.served).toEqual([]);
    await expect(desk.announce()).rejects.toMatchObject({ code: "invalid-request" });
  });

  it("announces the address that is configured rather than its listener's", async () => {
    await start({ announce: { ip: "2001:db8::1", port: 443 } }, "https://[2001:db8::2]");
    await settle();

    expect(chain.served).toEqual([{ ip: "2001:db8::1", port: 443 }]);
  });

  it("that is told to stay off it permits nobody by it", async () => {
    const { desk } = await start({ enabled: false });

    expect(desk.permitted(ALICE)).toBe(false);
    expect(() => desk.status()).toThrow(expect.objectContaining({ code: "chain-off" }));
    expect(chain.reads).toBe(0);
  });
});
