/**
 * AMD's tools: amd-smi, and where that is not installed its forerunner.
 */
import type { ToolDialect } from "../tool-source.ts";
import { jsonIn, readAmdSmi } from "./amd-smi.ts";
import { readRocmSmi } from "./rocm-smi.ts";

const RUNS: readonly (readonly string[])[] = [
  ["list", "--json"],
  ["static", "--json"],
  ["metric", "--json"],
  ["topology", "--json"],
];

export const AMD_SMI: ToolDialect = {
  next: (outputs) => RUNS[outputs.length],
  parse: (outputs) => readAmdSmi(outputs.map(jsonIn)),
};

export const ROCM_SMI: ToolDialect = {
  next: (outputs) => (outputs.length === 0 ? ["-a", "--json"] : undefined),
  parse: ([output = ""]) => {
    const readings = readRocmSmi(jsonIn(output));
    return readings === undefined ? undefined : { readings };
  },
};
