/**
 * `lium-executor strays`: what lies about on this host and belongs to no pod.
 */
import type { Command } from "commander";

import type { Output, Paint, Style } from "../../common/cli/output.ts";
import { type Column, table } from "../../common/cli/table.ts";
import type { HttpClient } from "../../common/http-client.ts";
import type { StrayFinding, StrayOutcome, StrayReport, strayRoutes } from "../../protocol/host-api/strays.ts";

type StraysClient = HttpClient<typeof strayRoutes>;

export interface StraysCommands {
  readonly output: Output;
  /** Adds a command with the options that all commands have. */
  readonly add: (parent: Command, name: string, description: string) => Command;
  /** Runs `work` with a client of the executor that the configuration names. */
  readonly withHost: (config: string, work: (host: StraysClient) => Promise<void>) => Promise<void>;
}

interface Options {
  readonly config: string;
  readonly dryRun?: boolean;
  readonly now?: boolean;
}

export function addStraysCommands(program: Command, { output, add, withHost }: StraysCommands): void {
  const print = (report: StrayReport): void => output.result(report, (paint) => reportText(report, paint));
  const strays = program.command("strays").description("What lies about on this host and belongs to no pod");
  add(strays, "list", "Show it; nothing is changed").action(({ config }: Options) =>
    withHost(config, async (host) => print(await host.listStrays({}))),
  );
  add(strays, "remove", "Remove what has lain about for long enough")
    .option("--dry-run", "only say what would be removed")
    .option("--now", "do not wait for the grace period")
    .action(({ config, dryRun = false, now = false }: Options) =>
      withHost(config, async (host) => print(await host.removeStrays({ body: { dryRun, now } }))),
    );
}

const STYLE: Readonly<Record<StrayOutcome, Style>> = {
  removed: "green",
  "would-remove": "yellow",
  young: "dim",
  kept: "yellow",
  failed: "red",
};

function reportText({ problem, strays }: StrayReport, paint: Paint): string {
  if (problem !== undefined) return `Nothing could be concluded: ${problem}`;
  if (strays.length === 0) return "Nothing lies about.";
  const columns: Column<StrayFinding>[] = [
    { title: "KIND", text: ({ kind }) => kind },
    { title: "NAME", text: ({ name }) => name },
    { title: "OUTCOME", text: ({ outcome }) => outcome, style: ({ outcome }) => STYLE[outcome] },
    { title: "AGE", text: ({ ageSeconds }) => `${Math.round(ageSeconds / 60)} min` },
    { title: "WHY", text: ({ why, detail }) => [why, detail].filter(Boolean).join("; ") },
  ];
  return table(strays, columns, paint);
}
