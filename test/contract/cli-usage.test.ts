/** `lium-executor usage`, from the command through the real server and client to the record of usage. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Command } from "commander";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";

import { createOutput } from "../../common/cli/output.ts";
import { createHttpClient } from "../../common/http-client.ts";
import { DEFAULT_LIMITS } from "../../common/http-limits.ts";
import { createHttpServer } from "../../common/http-server.ts";
import { addUsageCommands } from "../../executor/cli/usage.ts";
import { HOST_OPERATOR } from "../../executor/control/server.ts";
import { usageHandlers } from "../../executor/control/usage.ts";
import { usageRoutes } from "../../protocol/host-api/usage.ts";
import { UsageLine } from "../../protocol/usage.ts";
import { podId, T0 } from "../support/builders.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { loggerToMemory } from "../support/memory-log.ts";
import { MeteredWorld } from "../support/metered-world.ts";

let world: MeteredWorld;
let dir: string;

/** One pod for two minutes, the second of which SSH did not answer, and another for half a minute. */
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "lium-usage-"));
  world = new MeteredWorld();
  world.start();
  const first = world.add();
  world.pass(60_000);
  world.sicken(first);
  world.confirm(first);
  world.pass(30_000);
  world.add();
  world.pass(30_000);
});
afterEach(() => {
  world.dispose();
  rmSync(dir, { recursive: true });
});

async function run(args: readonly string[], json = false): Promise<string> {
  const socketPath = join(mkdtempSync(join(dir, "run-")), "control.sock");
  const server = await createHttpServer({
    routes: usageRoutes,
    handlers: usageHandlers(world.meter),
    authenticate: () => HOST_OPERATOR,
    limits: DEFAULT_LIMITS,
    log: loggerToMemory().log,
  });
  onTestFinished(() => server.close());
  await server.listen({ socketPath });
  const client = createHttpClient(usageRoutes, { at: { socketPath }, timeoutMs: 5_000 });
  onTestFinished(() => client.close());
  let printed = "";
  const sink = { write: (text: string) => (printed += text) };
  const signal = new AbortController().signal;
  const host = { stdout: sink, stderr: sink, env: {}, clock: new FakeClock(), interrupted: () => signal };
  const program = new Command().exitOverride().configureOutput({ writeErr: () => undefined });
  addUsageCommands(program, {
    output: createOutput(host, json),
    add: (parent, name, description) => parent.command(name).description(description).option("--config <file>"),
    withHost: (_config, work) => work(client),
  });
  await program.parseAsync(["usage", ...args], { from: "user" });
  return printed;
}

describe("usage show", () => {
  it("sums pod by pod what counts and what does not, up to this moment", async () => {
    const shown = await run(["show"]);

    expect(shown).toMatch(new RegExp(`${podId(1)} .* 0:01:00 +0:02:00 +0:01:00 .*running 0:01:00, degraded 0:01:00`));
    expect(shown).toMatch(new RegExp(`${podId(2)} .* 0:00:30 +0:01:00 +0:00:00`));
  });

  it("is CSV with integers, a line for each kind", async () => {
    const [titles, billed, unbilled] = (await run(["show", "--csv", "--pod", podId(1)])).split("\r\n");

    expect(titles).toMatch(/^pod,from,to,kind,seconds,gpu_seconds,/);
    expect(billed).toMatch(new RegExp(`^${podId(1)},2026-01-01T00:00:00.000Z,[^,]+,billed,60,120,120,64424509440,`));
    expect(unbilled).toMatch(/,unbilled,60,120,/);
  });

  it("is of a range when one is named, and ranges side by side share nothing", async () => {
    const middle = new Date(T0 + 60_001).toISOString();
    const seconds = async (...args: string[]): Promise<number> => {
      const { totals } = JSON.parse(await run(["show", "--pod", podId(1), ...args], true));
      return totals[0].billed.seconds + totals[0].unbilled.seconds;
    };

    expect(await seconds("--to", middle)).toBe(60);
    expect(await seconds("--from", middle)).toBe(60);
  });

  it.each([
    ["--pod", "x"],
    ["--from", "yesterday"],
  ])("refuses %s %s", async (...args) => {
    await expect(run(["show", ...args])).rejects.toMatchObject({ code: "commander.invalidArgument" });
  });
});

describe("usage export", () => {
  it("is a line an interval as JSON, then the totals, then the signed end", async () => {
    const lines = (await run(["export"], true)).trim().split("\n");
    const parsed = lines.map((line) => UsageLine.parse(JSON.parse(line)));

    expect(parsed.map((line) => Object.keys(line)[0])).toEqual(["seq", "seq", "seq", "total", "total", "head"]);
    expect(parsed.at(-1)).toMatchObject({ head: { seal: { seq: 3, host: world.key.publicKey } } });
  });

  it("is CSV for a spreadsheet", async () => {
    const [titles, first] = (await run(["export"])).split("\r\n");

    expect(titles?.split(",")).toHaveLength(13);
    expect(first).toMatch(
      new RegExp(`^1,${podId(1)},billed,running,2026-01-01T00:01:00.000Z,60000,GPU-1aaa GPU-2bbb,2,`),
    );
  });

  it("comes in pages however long the record is", async () => {
    for (let n = 0; n < 1_200; n += 1) {
      world.pass(1_000);
      world.meter.tick();
    }

    expect((await run(["export", "--pod", podId(1)])).trim().split("\r\n").length).toBeGreaterThan(1_200);
  });
});

describe("usage verify", () => {
  it("says that the record is whole, and where it ends", async () => {
    expect(await run(["verify"])).toMatch(/^intact: 3 entries .* entry 3, [0-9a-f]{64}\.$/m);
  });

  it("fails when a head that was noted is not in it", async () => {
    await expect(run(["verify", "--head", `1:${"0".repeat(64)}`])).rejects.toMatchObject({ code: "usage-changed" });
  });
});
