/** `lium-agent chain` against a real socket: what is asked, what is printed, what is refused. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { describe, expect, it, onTestFinished } from "vitest";

import type { ChainDesk } from "../../agent/chain/desk.ts";
import { createOperatorServer } from "../../agent/operator/server.ts";
import { systemClock } from "../../common/clock.ts";
import type { ChainStatus, ChainValidator } from "../../protocol/chain-view.ts";
import { AppError } from "../../protocol/errors.ts";
import { Hotkey } from "../../protocol/ids.ts";
import { fakeUseCases } from "../support/fake-use-cases.ts";
import { loggerToMemory } from "../support/memory-log.ts";
import { cli } from "../support/run-cli.ts";

const ALICE = Hotkey.parse("5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY");
const AT = "2026-01-01T00:00:00.000Z";

const standing = {
  uid: 7,
  registeredAtBlock: 4_000_000,
  incentive: 0.0125,
  rank: 3,
  miners: 200,
  alphaPerTempo: 1.5,
  alphaPerDay: 29.92,
};
const status: ChainStatus = {
  network: "finney",
  netuid: 51,
  hotkey: ALICE,
  block: 5_000_000,
  readAt: AT,
  registered: true,
  standing,
  axon: { wanted: "203.0.113.7:8091", onChain: "203.0.113.7:1", state: "waiting" },
  validators: { permitted: 1, known: 2, readAt: AT },
  announceProblem: { at: AT, code: "chain-refused", message: "too soon" },
};
const validators: ChainValidator[] = [
  { hotkey: ALICE, uid: 0, stakeTao: 30_000.5, verdict: "permitted" },
  { hotkey: ALICE, uid: 1, stakeTao: 2, verdict: "too-little-stake" },
];
const desk: ChainDesk = {
  permitted: () => true,
  status: () => status,
  validators: () => validators,
  announce: async () => ({ ...status, axon: { state: "announced" } }),
};

async function run(argv: string[], chain?: ChainDesk) {
  const { log } = loggerToMemory();
  const dir = mkdtempSync(join(tmpdir(), "lium-chain-cli-"));
  const socketPath = join(dir, "agent.sock");
  const { useCases } = fakeUseCases();
  const server = await createOperatorServer({ useCases, log, clock: systemClock(), ...(chain && { chain }) });
  await server.listen({ socketPath });
  onTestFinished(async () => {
    await server.close();
    rmSync(dir, { recursive: true });
  });
  return cli(["chain", ...argv, "--socket", socketPath]);
}

describe("lium-agent chain", () => {
  it.each([
    ["status", status],
    ["announce", { ...status, axon: { state: "announced" } }],
    ["validators", { validators }],
    ["earnings", { netuid: 51, registered: true, readAt: AT, ...standing }],
  ])("%s prints one JSON document with --json", async (command, expected) => {
    const { exitCode, stdout } = await run([command, "--json"], desk);

    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toEqual(expected);
  });

  it("status says where we stand, what is announced, whom we serve and what went wrong", async () => {
    const { stdout } = await run(["status"], desk);

    expect(stdout).toMatch(/finney, subnet 51/);
    expect(stdout).toMatch(/3 of 200 miners/);
    expect(stdout).toMatch(/203\.0\.113\.7:8091, waits until/);
    expect(stdout).toMatch(/1 served of 2 with a permit/);
    expect(stdout).toMatch(/chain-refused: too soon/);
  });

  it("validators says who is served, and why the others are not", async () => {
    const { stdout } = await run(["validators"], desk);

    expect(stdout).toMatch(/30000 TAO +yes/);
    expect(stdout).toMatch(/2 TAO +no: too-little-stake/);
  });

  it("earnings says what the last tempo paid, and what a day of such tempos would", async () => {
    const { stdout } = await run(["earnings"], desk);

    expect(stdout).toMatch(/1\.250 %/);
    expect(stdout).toMatch(/1\.5000 alpha/);
    expect(stdout).toMatch(/29\.92 alpha/);
  });

  it.each([
    ["was not read yet", {}, /Nothing is known yet/],
    ["does not know the hotkey", { registered: false }, /earns nothing/],
  ])("earnings says so when the chain %s", async (_, change, text) => {
    const { registered: _registered, standing: _standing, ...rest } = status;

    const { stdout } = await run(["earnings"], { ...desk, status: () => ({ ...rest, ...change }) });

    expect(stdout).toMatch(text);
  });

  it.each(["chain-refused", "chain-unreachable", "chain-client-missing", "invalid-request"] as const)(
    "announce fails with %s as the agent does",
    async (code) => {
      const announce = async (): Promise<never> => {
        throw new AppError(code);
      };

      const { exitCode, stderr } = await run(["announce", "--json"], { ...desk, announce });

      expect(exitCode).toBe(1);
      expect(JSON.parse(stderr)).toMatchObject({ error: { code } });
    },
  );

  it.each(["status", "validators", "announce", "earnings"])(
    "%s is refused by an agent without the chain",
    async (command) => {
      const { exitCode, stderr } = await run([command, "--json"]);

      expect(exitCode).toBe(1);
      expect(JSON.parse(stderr)).toMatchObject({ error: { code: "chain-off" } });
    },
  );
});
