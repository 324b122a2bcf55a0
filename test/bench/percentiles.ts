/** The middle and the slow end of a list of times. */
export interface Percentiles {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Nearest-rank percentiles of at least one value, rounded to a tenth of a millisecond. */
export function percentiles(values: readonly number[]): Percentiles {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number =>
    Math.round((sorted[Math.ceil(sorted.length * share) - 1] ?? Number.NaN) * 10) / 10;
  return { p50Ms: at(0.5), p99Ms: at(0.99) };
}
