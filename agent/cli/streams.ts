/**
 * Logs and events: the options that ask for them and how they are printed, item by item.
 */
import type { Command } from "commander";

import type { CliHost, Output } from "../../common/cli/output.ts";
import type { LogLine, PodEvent } from "../../protocol/pod.ts";
import { count, since } from "./arguments.ts";
import { eventText, logText } from "./views.ts";

export interface StreamOptions {
  readonly follow?: boolean;
  readonly tail?: number;
  readonly since?: string;
  readonly timestamps?: boolean;
  readonly after?: number;
}

export function withLogOptions(command: Command, { clock }: CliHost): Command {
  return command
    .option("--follow", "go on as lines come")
    .option("--tail <lines>", "only the last ones; 1000 when left out", count)
    .option(
      "--since <when>",
      "an instant, or how long ago",
      since(() => clock.now()),
    )
    .option("--timestamps", "with the time of each line");
}

export function withEventOptions(command: Command): Command {
  return command
    .option("--follow", "go on as events come")
    .option("--after <cursor>", "only those after this one", count);
}

export function logQuery(options: StreamOptions) {
  return { follow: String(options.follow === true), tail: options.tail, since: options.since };
}

export function eventQuery(options: StreamOptions) {
  return { follow: String(options.follow === true), after: options.after };
}

export async function printLogs(lines: AsyncIterable<LogLine>, options: StreamOptions, output: Output): Promise<void> {
  for await (const line of lines) output.item(line, (paint) => logText(line, options.timestamps === true, paint));
}

export async function printEvents(events: AsyncIterable<PodEvent>, output: Output): Promise<void> {
  for await (const event of events) output.item(event, (paint) => eventText(event, paint));
}
