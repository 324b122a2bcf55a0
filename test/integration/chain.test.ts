/**
 * The chain's client against a small node with the real runtime's metadata: what is read, what is announced, and what
 * happens when a node hangs, lies or has enough of us.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";

import type { Chain } from "../../agent/chain/chain.ts";
import { ChainConfig } from "../../agent/chain/config.ts";
import { servedValidators } from "../../agent/chain/served.ts";
import { startChain } from "../../agent/chain/start.ts";
import { createSubtensor } from "../../agent/chain/subtensor/subtensor.ts";
import { systemClock } from "../../common/clock.ts";
import { devHotkey, initHotkeys } from "../../common/hotkey.ts";
import { Hotkey } from "../../protocol/ids.ts";
import { capacity } from "../support/answers.ts";
import { signerOf, startValidatorListener } from "../support/api-servers.ts";
import { goldenVector, hasChainFiles, lyingMetadata } from "../support/chain/metadata.ts";
import { FINNEY, NO_AXON, startChainNode } from "../support/chain/node.ts";
import { loggerToMemory } from "../support/memory-log.ts";

const SIGNAL = new AbortController().signal;
const AXON = { ip: "203.0.113.7", port: 8091 };

type Node = Awaited<ReturnType<typeof startChainNode>>;

describe.skipIf(!hasChainFiles)(
  "a subnet of the real runtime (needs the network's metadata beside the project)",
  { timeout: 60_000 },
  () => {
    let node: Node;
    let other: Node;
    let hot: ReturnType<typeof devHotkey>;
    let validator: string;

    beforeAll(async () => {
      await initHotkeys();
      hot = devHotkey("//Alice//hot");
      validator = devHotkey("//Bob").ss58;
      [node, other] = await Promise.all([startChainNode(), startChainNode()]);
    });
    afterAll(async () => {
      await Promise.all([node, other].map((each) => each[Symbol.asyncDispose]()));
    });
    beforeEach(() => {
      for (const each of [node, other]) {
        Object.assign(each, { fault: "none", genesis: FINNEY, refusesBy: "pool" });
        each.calls.length = 0;
        each.asked.length = 0;
        const earns = { incentive: 65_535, emissionRao: 123_456_789_012_345_678n };
        each.neurons = [
          {
            hotkey: validator,
            permit: true,
            stakeRao: 25_000n * 10n ** 9n,
            incentive: 0,
            emissionRao: 1n,
            axon: NO_AXON,
          },
          { hotkey: hot.ss58, permit: false, stakeRao: 5n, ...earns, axon: { ...NO_AXON } },
        ];
      }
    });

    function chainBy(...endpoints: string[]): Chain {
      const { log } = loggerToMemory();
      const deadlines = { readDeadlineMs: 10_000, serveDeadlineMs: 30_000 };
      return createSubtensor({
        ...deadlines,
        endpoints,
        genesis: FINNEY,
        netuid: 51,
        signer: hot,
        clock: systemClock(),
        log,
      });
    }

    /** What the agent has of both: its part in the chain, and the listener that asks it who is served. */
    async function agentOn({ url }: Node, stateDir: string) {
      const { log } = loggerToMemory();
      const closing = new AbortController();
      const parts: (() => Promise<void> | void)[] = [];
      const desk = await startChain({
        config: ChainConfig.parse({ endpoints: [url], announce: { enabled: false } }),
        network: "finney",
        stateDir,
        hotkey: Hotkey.parse(hot.ss58),
        validatorUrl: () => "",
        life: { signal: closing.signal, add: (_, close) => void parts.push(close) },
        clock: systemClock(),
        log,
      });
      const allowed = servedValidators({ allow: [], deny: [], chain: desk });
      const listener = await startValidatorListener({ capacity }, { caller: devHotkey("//Bob"), allowed });
      return {
        ...listener,
        desk,
        [Symbol.asyncDispose]: async () => {
          closing.abort();
          for (const part of parts) await part();
          await listener[Symbol.asyncDispose]();
        },
      };
    }

    it("is read by the selective call, large numbers exactly", async () => {
      const metagraph = await chainBy(node.url).readMetagraph(SIGNAL);

      expect(metagraph).toMatchObject({ netuid: 51, block: node.block, tempo: 360, servingRateLimit: 50 });
      expect(metagraph.neurons).toMatchObject([
        { uid: 0, hotkey: validator, validatorPermit: true, stakeRao: 25_000n * 10n ** 9n, axon: undefined },
        { uid: 1, hotkey: hot.ss58, validatorPermit: false, incentive: 1, emissionRao: 123_456_789_012_345_678n },
      ]);
      expect(node.asked.filter((method) => method === "state_call")).toHaveLength(1);
      expect(node.asked.length).toBeLessThan(12);
    });

    it("takes our announcement as the golden call, signed so that the runtime accepts it", async () => {
      const chain = chainBy(node.url);

      await chain.serveAxon(AXON, SIGNAL);

      expect(node.calls).toEqual([goldenVector("serve_axon(51,9009000,203.0.113.7,8091,4,4,0,0)")]);
      const { neurons } = await chain.readMetagraph(SIGNAL);
      expect(neurons[1]?.axon).toMatchObject({ ...AXON, version: 9_009_000, protocol: 4, block: node.block });
    });

    it.each(["pool", "block"] as const)("refuses by its %s, and says why in our words", async (refusesBy) => {
      node.refusesBy = refusesBy;
      const chain = chainBy(node.url);
      await chain.serveAxon(AXON, SIGNAL);

      const tooSoon = chain.serveAxon({ ...AXON, port: 8092 }, SIGNAL);

      await expect(tooSoon).rejects.toMatchObject({ code: "chain-refused", details: { reason: "too-soon" } });
      node.neurons.pop();
      const unregistered = chain.serveAxon(AXON, SIGNAL);
      await expect(unregistered).rejects.toMatchObject({
        code: "chain-refused",
        details: { reason: "not-registered" },
      });
    });

    it("is not believed when it began with another block; the next node is asked, and asked first from then on", async () => {
      node.genesis = `0x${"11".repeat(32)}`;
      const chain = chainBy(node.url, other.url);

      await chain.readMetagraph(SIGNAL);
      node.asked.length = 0;
      await chain.readMetagraph(SIGNAL);

      expect(node.asked).toEqual([]);
      await expect(chainBy(node.url).readMetagraph(SIGNAL)).rejects.toMatchObject({
        code: "chain-unreachable",
        message: expect.stringContaining("another chain"),
      });
      await expect(chainBy(node.url).serveAxon(AXON, SIGNAL)).rejects.toMatchObject({ code: "chain-unreachable" });
      expect(node.calls).toEqual([]);
    });

    it("gets no signature for another call, whatever a node's metadata calls it", async () => {
      const { metadata } = node;
      onTestFinished(() => void (node.metadata = metadata));
      node.metadata = lyingMetadata();

      const announced = chainBy(node.url).serveAxon(AXON, SIGNAL);

      await expect(announced).rejects.toMatchObject({
        code: "chain-unreachable",
        message: expect.stringContaining("another call than ours"),
      });
      expect(node.asked).not.toContain("author_submitAndWatchExtrinsic");
    });

    it.each(["hangs", "429"] as const)("is read from the next node when the first one %s", async (fault) => {
      node.fault = fault;

      const { neurons } = await chainBy(node.url, other.url).readMetagraph(SIGNAL);

      expect(neurons).toHaveLength(2);
      expect(node.connections()).toBeGreaterThan(0);
    });

    it.each(["hangs", "429", "another chain"] as const)(
      "does not keep an agent from serving those it permitted, also after a restart: %s",
      async (trouble) => {
        const stateDir = mkdtempSync(join(tmpdir(), "lium-chain-known-"));
        onTestFinished(() => rmSync(stateDir, { recursive: true }));
        const bob = devHotkey("//Bob");
        await using before = await agentOn(node, stateDir);
        await vi.waitFor(() => expect(before.desk.permitted(bob.ss58)).toBe(true), 30_000);
        if (trouble === "another chain") node.genesis = `0x${"11".repeat(32)}`;
        else node.fault = trouble;
        const connections = node.connections();

        await using after = await agentOn(node, stateDir);

        await after.client.capacity({});
        await vi.waitFor(() => expect(node.connections()).toBeGreaterThan(connections), 30_000);
        await Promise.all(Array.from({ length: 20 }, () => after.client.capacity({})));
        const stranger = after.clientThat(signerOf(devHotkey("//Eve")));
        await expect(stranger.capacity({})).rejects.toMatchObject({ code: "auth-hotkey-not-allowed" });
      },
    );

    it("is given up at once when the agent closes", async () => {
      node.fault = "hangs";
      const closing = new AbortController();

      const reading = chainBy(node.url, other.url).readMetagraph(closing.signal);
      closing.abort(new Error("closing"));

      await expect(reading).rejects.toThrow("closing");
      expect(other.asked).toEqual([]);
    });
  },
);
