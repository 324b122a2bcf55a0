/**
 * The engine's pull messages, summed up to bytes: a layer counts with what it has downloaded of what it announced.
 */
import { z } from "zod";

const PullMessage = z.object({
  id: z.string().optional(),
  status: z.string().optional(),
  progressDetail: z.object({ current: z.number().optional(), total: z.number().optional() }).optional(),
});

export interface PullProgress {
  readonly doneBytes: number;
  readonly totalBytes: number;
}

/** A function that takes each message and returns the sum so far, or undefined when the message changes nothing. */
export function createPullProgress(): (message: unknown) => PullProgress | undefined {
  const layers = new Map<string, { done: number; total: number }>();
  return (message) => {
    const { id, status, progressDetail } = PullMessage.catch({}).parse(message);
    if (id === undefined) return undefined;
    if (status === "Downloading" && progressDetail?.total !== undefined) {
      layers.set(id, { done: progressDetail.current ?? 0, total: progressDetail.total });
    } else if (status === "Download complete" || status === "Pull complete") {
      const total = layers.get(id)?.total ?? 0;
      layers.set(id, { done: total, total });
    } else {
      return undefined;
    }
    const all = [...layers.values()];
    return { doneBytes: sum(all.map((layer) => layer.done)), totalBytes: sum(all.map((layer) => layer.total)) };
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
