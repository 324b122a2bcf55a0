/** Lines of the kernel's log in every form that it is met in. */
import { existsSync, readFileSync } from "node:fs";

import { describe, expect, it } from "vitest";

import { findingOfLine } from "../../../../../executor/gpus/kernel/lines.ts";
import { kernelRecord } from "../../../../../executor/gpus/kernel/record.ts";

describe("kernelRecord", () => {
  it.each([
    ["3,1310,9123000111,-;NVRM: Xid", { sequence: 1310, micros: 9_123_000_111, text: "NVRM: Xid" }],
    ["[ 9123.000111] NVRM: Xid", { micros: 9_123_000_111, text: "NVRM: Xid" }],
    ["[Sun Feb 23 16:24:18 2025] NVRM: Xid", { text: "NVRM: Xid" }],
    ["NVRM: Xid", { text: "NVRM: Xid" }],
  ])("reads %s", (line, expected) => {
    expect(kernelRecord(line)).toEqual(expected);
  });

  it("leaves out what the kernel adds on further lines", () => {
    expect(kernelRecord("6,1,2,-;text\n SUBSYSTEM=pci\n").text).toBe("text");
  });
});

const RECORDED = new URL("../../../../../../shared/fixtures/nvidia/logs/dmesg-with-xid-119.log", import.meta.url);

describe.runIf(existsSync(RECORDED))("a recorded log (needs the fixtures beside the project)", () => {
  it("has Xids 119 of one GPU, and nothing else", () => {
    const lines = readFileSync(RECORDED, "utf8").split("\n");
    const findings = lines.flatMap((line) => findingOfLine(kernelRecord(line).text, { at: 0 }) ?? []);

    expect(findings.length).toBeGreaterThan(0);
    expect(new Set(findings.map(({ code }) => code))).toEqual(new Set(["xid-119"]));
    expect(new Set(findings.map(({ where }) => JSON.stringify(where)))).toEqual(
      new Set(['{"pciAddress":"0000:9b:00.0"}']),
    );
  });
});
