/**
 * How a self-check reads for people: all that was looked at, then what to do about it. Pure.
 */
import { type Paint, printable, type Style } from "../../common/cli/output.ts";
import { type Column, table } from "../../common/cli/table.ts";
import type { Finding, Level } from "../check/finding.ts";

const STYLES: Readonly<Record<Level, Style>> = { ok: "green", note: "dim", warning: "yellow", failure: "red" };

export function checkText(findings: readonly Finding[], paint: Paint): string {
  const columns: Column<Finding>[] = [
    { title: "WHERE", text: ({ hostId = "agent" }) => hostId },
    { title: "CHECK", text: ({ check }) => check },
    { title: "RESULT", text: ({ level, code }) => code ?? level, style: ({ level }) => STYLES[level] },
    { title: "WHAT", text: ({ message }) => message },
  ];
  const bad = findings.filter(({ level }) => level === "failure" || level === "warning");
  const advice = [...new Map(bad.map((finding) => [finding.code, finding])).values()].map(
    ({ code, level, impact = "", remedy = "" }) =>
      `${paint(STYLES[level], code ?? level)}\n  ${printable(impact)}\n  ${paint("bold", "Do:")} ${printable(remedy)}`,
  );
  const end = advice.length === 0 ? "Nothing was found that a validator would mind." : advice.join("\n");
  return `${table(findings, columns, paint)}\n\n${end}`;
}
