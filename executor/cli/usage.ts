/**
 * `lium-executor usage`: what pods had of this host, to look at, to take elsewhere, and whether the record is whole.
 */
import { type Command, InvalidArgumentError, Option } from "commander";

import type { Output } from "../../common/cli/output.ts";
import type { HttpClient } from "../../common/http-client.ts";
import { AppError } from "../../protocol/errors.ts";
import type { usageRoutes } from "../../protocol/host-api/usage.ts";
import { PodId } from "../../protocol/ids.ts";
import { ENTRY_TITLES, entryCsv, TOTAL_TITLES, totalCsv, totalsTable, verdictText } from "./usage-text.ts";

type UsageClient = HttpClient<typeof usageRoutes>;

export interface UsageCommands {
  readonly output: Output;
  /** Adds a command with the options that all commands have. */
  readonly add: (parent: Command, name: string, description: string) => Command;
  /** Runs `work` with a client of the executor that the configuration names. */
  readonly withHost: (config: string, work: (host: UsageClient) => Promise<void>) => Promise<void>;
}

interface Options {
  readonly config: string;
  readonly pod?: PodId;
  readonly from?: string;
  readonly to?: string;
  readonly csv?: boolean;
}

export function addUsageCommands(program: Command, { output, add, withHost }: UsageCommands): void {
  const usage = program.command("usage").description("What pods had of this host: the metering ledger");
  withRange(add(usage, "show", "Totals, pod by pod"))
    .option("--csv", "print CSV")
    .action(({ config, csv = false, ...range }: Options) =>
      withHost(config, async (host) => {
        const summary = await host.usageTotals({ query: queryOf(range) });
        const lines = [TOTAL_TITLES, ...summary.totals.flatMap(totalCsv)];
        output.result(summary, (paint) => (csv ? lines.join("\r\n") : totalsTable(summary.totals, paint)));
      }),
    );
  withRange(
    add(usage, "export", "Every interval as CSV; with --json one a line, then totals and the signed end"),
  ).action(({ config, ...range }: Options) => withHost(config, (host) => exportUsage(host, range, output)));
  add(usage, "verify", "See whether the record is what this host wrote")
    .addOption(new Option("--head <seq:hash>", "a head noted before, which must still be there").argParser(headOf))
    .action(({ config, head }: { readonly config: string; readonly head?: Head }) =>
      withHost(config, async (host) => {
        const verdict = await host.verifyUsage({ query: head ?? {} });
        output.result(verdict, (paint) => verdictText(verdict, paint));
        if (!verdict.intact) throw new AppError("usage-changed", { details: { faults: verdict.faults.length } });
      }),
    );
}

/** As it comes: the record may be longer than the memory. */
async function exportUsage(host: UsageClient, range: Omit<Options, "config">, output: Output): Promise<void> {
  if (!output.json) output.item(undefined, () => `${ENTRY_TITLES}\r`);
  for await (const line of host.exportUsage({ query: queryOf(range) })) {
    if (output.json) output.item(line, () => "");
    else if ("entry" in line) output.item(line, () => `${entryCsv(line)}\r`);
  }
}

function withRange(command: Command): Command {
  return command
    .addOption(new Option("--pod <id>", "of this pod alone").argParser(podOf))
    .addOption(new Option("--from <time>", "what ended at this time or later, as 2026-01-31T12:00Z").argParser(timeOf))
    .addOption(new Option("--to <time>", "what ended before this time").argParser(timeOf));
}

function queryOf({ pod, from, to }: Omit<Options, "config">): { podId?: PodId; from?: string; to?: string } {
  return {
    ...(pod === undefined ? {} : { podId: pod }),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
  };
}

function podOf(text: string): PodId {
  const { data } = PodId.safeParse(text);
  if (data === undefined) throw new InvalidArgumentError("This is no pod's id.");
  return data;
}

function timeOf(text: string): string {
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw new InvalidArgumentError("Write a time as 2026-01-31 or 2026-01-31T12:00:00Z.");
  return new Date(ms).toISOString();
}

interface Head {
  readonly seq: number;
  readonly hash: string;
}

function headOf(text: string): Head {
  const [, seq, hash] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (seq === undefined || hash === undefined) throw new InvalidArgumentError("Write a head as number:hash.");
  return { seq: Number(seq), hash };
}
