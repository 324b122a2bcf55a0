/** `lium-agent state` and `lium-executor state`: the way back for the version before this one. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Command } from "commander";
import { afterEach, beforeEach, expect, it } from "vitest";

import { openSqliteStore } from "../../agent/store/sqlite.ts";
import { createOutput } from "../../common/cli/output.ts";
import { addStateCommands } from "../../executor/cli/state.ts";
import { openLedger } from "../../executor/pods/ledger.ts";
import { podRecord } from "../support/builders.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { cli } from "../support/run-cli.ts";
import { readLedgerV1, readStoreV1 } from "../support/state-v1.ts";

let dir: string;
let config: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "lium-state-"));
  config = join(dir, "config.toml");
});
afterEach(() => rmSync(dir, { recursive: true }));

async function executor(...args: readonly string[]): Promise<string> {
  let printed = "";
  const sink = { write: (text: string) => (printed += text) };
  const signal = new AbortController().signal;
  const host = { stdout: sink, stderr: sink, env: {}, clock: new FakeClock(), interrupted: () => signal };
  const program = new Command().exitOverride().configureOutput({ writeErr: () => undefined });
  addStateCommands(program, {
    output: createOutput(host, false),
    add: (parent, name, description) => parent.command(name).description(description).option("--config <file>"),
  });
  await program.parseAsync(["state", ...args, "--config", config], { from: "user" });
  return printed;
}

it("takes the executor's ledger back by one version, and by no other number", async () => {
  writeFileSync(config, `stateDir = "${dir}"\n`);
  const ledger = openLedger(join(dir, "ledger.db"));
  ledger.saveRecord(podRecord());
  ledger.close();

  await expect(executor("downgrade", "--to", "7")).rejects.toMatchObject({ code: "invalid-request" });
  expect(await executor("downgrade", "--to", "1")).toContain("version 1 now");

  expect(readLedgerV1(join(dir, "ledger.db")).records).toHaveLength(1);
});

it("takes the agent's database back by one version, unless an agent runs", async () => {
  await cli(["init", "--config", config, "--state-dir", dir, "--network", "development"]);
  const store = await openSqliteStore(join(dir, "agent.db"));
  const whileRunning = await cli(["state", "downgrade", "--config", config, "--json"]);
  await store.close();

  const run = await cli(["state", "downgrade", "--config", config, "--json"]);

  expect(whileRunning).toMatchObject({ exitCode: 1 });
  expect(JSON.parse(whileRunning.stderr)).toMatchObject({ error: { code: "already-exists" } });
  expect(run).toMatchObject({ exitCode: 0, stderr: "" });
  expect(readStoreV1(join(dir, "agent.db")).steps).toEqual([{ name: "0001-first-tables" }]);
});
