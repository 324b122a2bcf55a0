/** `lium-executor strays`: what is asked of the executor, and what a person reads. */
import { Command } from "commander";
import { beforeEach, expect, it } from "vitest";

import { createOutput } from "../../../../common/cli/output.ts";
import { addStraysCommands } from "../../../../executor/cli/strays.ts";
import { strayHandlers } from "../../../../executor/control/strays.ts";
import type { StrayReport } from "../../../../protocol/host-api/strays.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

const REPORT: StrayReport = {
  at: "2026-01-01T00:00:00.000Z",
  dryRun: true,
  graceSeconds: 600,
  strays: [
    { kind: "volume", name: "v1", why: "its pod is over", outcome: "would-remove", ageSeconds: 900 },
    {
      kind: "container",
      name: "c1",
      why: "no pod can be made of it",
      outcome: "kept",
      ageSeconds: 60,
      detail: "it ran",
    },
  ],
};

let asked: unknown[];
let printed: string;

beforeEach(() => {
  asked = [];
  printed = "";
});

async function run(args: readonly string[], report = REPORT, json = false): Promise<void> {
  const sink = { write: (text: string) => (printed += text) };
  const host = { stdout: sink, stderr: sink, env: {}, clock: new FakeClock(), interrupted: () => AbortSignal.abort() };
  const program = new Command();
  addStraysCommands(program, {
    output: createOutput(host, json),
    add: (parent, name, description) => parent.command(name).description(description).option("--config <file>"),
    withHost: (_config, work) =>
      work({
        listStrays: async () => {
          asked.push("list");
          return report;
        },
        removeStrays: async ({ body }) => {
          asked.push(body);
          return report;
        },
        close: async () => undefined,
      }),
  });
  await program.parseAsync(["strays", ...args], { from: "user" });
}

it("list asks for a look and shows why each is nobody's", async () => {
  await run(["list"]);

  expect(asked).toEqual(["list"]);
  expect(printed).toContain("volume     v1    would-remove  15 min  its pod is over");
  expect(printed).toContain("no pod can be made of it; it ran");
});

it.each([
  [["remove"], { dryRun: false, now: false }],
  [["remove", "--dry-run"], { dryRun: true, now: false }],
  [["remove", "--now"], { dryRun: false, now: true }],
])("%j asks for %j", async (args, body) => {
  await run(args);

  expect(asked).toEqual([body]);
});

it("what could not be looked at is not told as clean", async () => {
  await run(["list"], { ...REPORT, strays: [], problem: "the engine does not answer" });

  expect(printed).toContain("Nothing could be concluded: the engine does not answer");
});

it("with --json the report is printed as it came", async () => {
  await run(["list"], REPORT, true);

  expect(JSON.parse(printed)).toEqual(REPORT);
});

it("the executor answers a look with a dry run, and `now` with no grace", async () => {
  const sweeps: unknown[] = [];
  const sweep = async (options: unknown) => {
    sweeps.push(options);
    return REPORT;
  };
  const handlers = strayHandlers({ sweep });
  const request = {
    params: {},
    query: {},
    caller: { kind: "operator" },
    receivedAtMs: 0,
    signal: AbortSignal.timeout(1_000),
  } as const;

  await handlers.listStrays({ ...request, body: {} });
  await handlers.removeStrays({ ...request, body: { dryRun: false, now: false } });
  await handlers.removeStrays({ ...request, body: { dryRun: false, now: true } });

  expect(sweeps).toEqual([{ dryRun: true }, { dryRun: false }, { dryRun: false, graceMs: 0 }]);
});
