/**
 * How fast a pull goes and when it will be there, from sums of bytes and the times they were told at. Pure.
 * The time left is told only when every layer's size is known: until then nobody can know it.
 */
import type { EngineProgress } from "../docker/image-store.ts";

export interface PullProgress {
  /** Of what has to be downloaded; layers that were here already do not count. */
  readonly doneBytes: number;
  readonly totalBytes: number;
  /** Over the last seconds. */
  readonly bytesPerSecond?: number;
  /** Until all is downloaded; unpacking comes on top. */
  readonly etaSeconds?: number;
}

interface Sample {
  readonly atMs: number;
  readonly doneBytes: number;
}

const WINDOW_MS = 10_000;
/** A rate over less than this says more about chunks than about the line. */
const SHORTEST_MS = 500;

/** A function that takes each sum with its time on a clock that never goes back. The total that it tells never shrinks. */
export function createRateMeter(): (sum: EngineProgress, nowMs: number) => PullProgress {
  let samples: readonly Sample[] = [];
  let totalBytes = 0;
  return (sum, nowMs) => {
    totalBytes = Math.max(totalBytes, sum.totalBytes);
    const doneBytes = sum.doneBytes;
    // What counts less than before was begun anew: its speed is measured from here.
    const isAnew = doneBytes < (samples.at(-1)?.doneBytes ?? 0);
    samples = [...(isAnew ? [] : withinWindow(samples, nowMs)), { atMs: nowMs, doneBytes }];
    const rate = rateOf(samples);
    if (rate === undefined) return { doneBytes, totalBytes };
    const told = { doneBytes, totalBytes, bytesPerSecond: Math.round(rate) };
    if (!sum.totalIsFinal || rate === 0) return told;
    return { ...told, etaSeconds: Math.ceil((totalBytes - doneBytes) / rate) };
  };
}

/** Those of the window, and the last one before it: the window is then covered whole. */
function withinWindow(samples: readonly Sample[], nowMs: number): readonly Sample[] {
  const first = samples.findIndex(({ atMs }) => atMs > nowMs - WINDOW_MS);
  return first === -1 ? samples.slice(-1) : samples.slice(Math.max(0, first - 1));
}

function rateOf(samples: readonly Sample[]): number | undefined {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined || last.atMs - first.atMs < SHORTEST_MS) return undefined;
  return ((last.doneBytes - first.doneBytes) * 1000) / (last.atMs - first.atMs);
}
