/**
 * Errors of memory in the log: counters that got finer with each generation of drivers and devices, summed to what they
 * have in common. A sum is known only where one of its parts is.
 */
import type { AcceleratorReading, Known } from "../../../../protocol/accelerator.ts";
import { firstKnown, unavailable } from "../../known.ts";
import { type Node, text } from "../../node.ts";
import { countValue, flagValue } from "../../values.ts";

function sum(values: readonly Known<number>[]): Known<number> {
  const known = values.filter((value) => typeof value === "number");
  return known.length === 0
    ? firstKnown(unavailable("not-read"), ...values)
    : known.reduce((all, value) => all + value, 0);
}

const CORRECTED = ["sram_correctable", "dram_correctable"];
const UNCORRECTED = [
  "sram_uncorrectable",
  "sram_uncorrectable_parity",
  "sram_uncorrectable_secded",
  "dram_uncorrectable",
];

export function eccOf(gpu: Node): NonNullable<AcceleratorReading["ecc"]> {
  const count = (counter: string, names: readonly string[], old: string): Known<number> =>
    firstKnown(
      countValue(text(gpu, "ecc_errors", counter, old, "total")),
      sum(names.map((name) => countValue(text(gpu, "ecc_errors", counter, name)))),
    );
  return {
    enabled: flagValue(text(gpu, "ecc_mode", "current_ecc")),
    pending: flagValue(text(gpu, "ecc_mode", "pending_ecc")),
    correctedVolatile: count("volatile", CORRECTED, "single_bit"),
    uncorrectedVolatile: count("volatile", UNCORRECTED, "double_bit"),
    correctedAggregate: count("aggregate", CORRECTED, "single_bit"),
    uncorrectedAggregate: count("aggregate", UNCORRECTED, "double_bit"),
    sramThresholdExceeded: flagValue(text(gpu, "ecc_errors", "aggregate", "sram_threshold_exceeded")),
  };
}

export function rowsOf(gpu: Node): NonNullable<AcceleratorReading["rows"]> {
  const rows = (name: string): string | undefined => text(gpu, "remapped_rows", name) ?? text(gpu, "remapped_rows");
  const retired = ["multiple_single_bit_retirement", "double_bit_retirement"].map((cause) =>
    countValue(text(gpu, "retired_pages", cause, "retired_count")),
  );
  return {
    remappedCorrectable: countValue(rows("remapped_row_corr")),
    remappedUncorrectable: countValue(rows("remapped_row_unc")),
    pending: firstKnown(
      flagValue(rows("remapped_row_pending")),
      flagValue(text(gpu, "retired_pages", "pending_retirement")),
    ),
    failed: flagValue(rows("remapped_row_failure")),
    banksWithoutSpare: countValue(text(gpu, "remapped_rows", "row_remapper_histogram", "row_remapper_histogram_none")),
    retiredPages: sum(retired),
  };
}
