/**
 * What came of every attempt, as JSON for programs and as a table for people.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { z } from "zod";

import { ATTEMPTS, type Outcome } from "./attempts.ts";

/** One line of the program. */
export const Finding = z.strictObject({
  attempt: z.string(),
  outcome: z.enum(["refused", "limited", "succeeded", "unclear"]),
  detail: z.string(),
});
export type Finding = z.infer<typeof Finding>;

export interface Result extends Finding {
  readonly means: string;
  readonly mustBe: Outcome;
  readonly held: boolean;
  /** Why it counts as held although it ended otherwise. */
  readonly excused?: string;
}

export interface Latency {
  readonly during: string;
  readonly samples: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
}

export interface Report {
  readonly host: Readonly<Record<string, string>>;
  readonly results: readonly Result[];
  readonly latency: readonly Latency[];
}

/** Sets every attempt that there is beside what was found; one that was not made is in the list as such. */
export function judge(findings: readonly Finding[], excuses: Readonly<Record<string, string>> = {}): Result[] {
  const unknown = findings.filter(({ attempt }) => ATTEMPTS[attempt] === undefined);
  const results = Object.entries(ATTEMPTS).map(([attempt, { means, mustBe = "refused" }]): Result => {
    const made = findings.find((finding) => finding.attempt === attempt);
    const finding = made ?? { attempt, outcome: "unclear" as const, detail: "it was not made" };
    const excused = finding.outcome === "succeeded" ? excuses[attempt] : undefined;
    const held = finding.outcome === mustBe || (mustBe === "limited" && finding.outcome === "refused");
    return { ...finding, means, mustBe, held: held || excused !== undefined, ...(excused ? { excused } : {}) };
  });
  const strays = unknown.map((finding): Result => ({ ...finding, means: "", mustBe: "refused", held: false }));
  return [...results, ...strays];
}

/** Writes report.json and report.txt; resolves with the path of the second. */
export async function writeReport(folder: string, report: Report): Promise<string> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "report.json"), `${JSON.stringify(report, undefined, 2)}\n`);
  const path = join(folder, "report.txt");
  await writeFile(path, asText(report));
  return path;
}

function asText({ host, results, latency }: Report): string {
  const about = Object.entries(host).map(([name, value]) => `${name}: ${value}`);
  const header = ["", "attempt", "outcome", "must be", "would mean", "detail"];
  const rows = results.map(({ held, attempt, outcome, mustBe, means, excused, detail }) => [
    held ? "ok" : "BAD",
    attempt,
    outcome,
    mustBe,
    means,
    excused === undefined ? detail : `${excused}; ${detail}`,
  ]);
  const times = latency.map(({ during, samples, p50Ms, p95Ms }) => [
    during,
    String(samples),
    p50Ms.toFixed(3),
    p95Ms.toFixed(3),
  ]);
  return [
    ...about,
    "",
    ...columns([header, ...rows]),
    "",
    "A small request to the pod beside it, in milliseconds",
    ...columns([["during", "samples", "p50", "p95"], ...times]),
    "",
  ].join("\n");
}

function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
}
