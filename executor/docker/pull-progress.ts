/**
 * The engine's pull messages, summed up to bytes: a layer counts with what it has downloaded of what it announced.
 * A download that goes on after a break announces only its rest, so what was known of a layer's size is kept.
 */
import { z } from "zod";

import type { EngineProgress } from "./image-store.ts";

const PullMessage = z.object({
  id: z.string().optional(),
  status: z.string().optional(),
  progressDetail: z.object({ current: z.number().optional(), total: z.number().optional() }).optional(),
});
type PullMessage = z.infer<typeof PullMessage>;

interface Layer {
  readonly doneBytes: number;
  /** Undefined until the layer's download begins. */
  readonly totalBytes: number | undefined;
}

const ANNOUNCED: Layer = { doneBytes: 0, totalBytes: undefined };

/** A function that takes each message and returns the sum so far, or undefined when the message changes nothing. */
export function createPullProgress(): (message: unknown) => EngineProgress | undefined {
  const layers = new Map<string, Layer>();
  return (message) => {
    const parsed = PullMessage.catch({}).parse(message);
    if (parsed.id === undefined) return undefined;
    const before = layers.get(parsed.id);
    const after = layerAfter(before ?? ANNOUNCED, parsed);
    if (after === undefined || after === before) return undefined;
    layers.set(parsed.id, after);
    return sumOf([...layers.values()]);
  };
}

/** Undefined when the message is about no layer. */
function layerAfter(layer: Layer, { status = "", progressDetail }: PullMessage): Layer | undefined {
  switch (status) {
    case "Pulling fs layer":
    case "Waiting":
      return layer;
    case "Already exists":
    case "Verifying Checksum":
    case "Download complete":
    case "Extracting":
    case "Pull complete":
      return isComplete(layer) ? layer : { doneBytes: layer.totalBytes ?? 0, totalBytes: layer.totalBytes ?? 0 };
    case "Downloading":
      return downloading(layer, progressDetail?.current ?? 0, progressDetail?.total ?? 0);
    default:
      return undefined;
  }
}

function isComplete({ doneBytes, totalBytes }: Layer): boolean {
  return doneBytes === totalBytes;
}

function downloading(layer: Layer, current: number, announced: number): Layer {
  const totalBytes = Math.max(layer.totalBytes ?? 0, announced, 0);
  const doneBytes = totalBytes - Math.max(announced, 0) + Math.max(current, 0);
  return { doneBytes: Math.min(doneBytes, totalBytes), totalBytes };
}

function sumOf(layers: readonly Layer[]): EngineProgress {
  return {
    doneBytes: layers.reduce((sum, { doneBytes }) => sum + doneBytes, 0),
    totalBytes: layers.reduce((sum, { totalBytes }) => sum + (totalBytes ?? 0), 0),
    totalIsFinal: layers.every(({ totalBytes }) => totalBytes !== undefined),
  };
}
